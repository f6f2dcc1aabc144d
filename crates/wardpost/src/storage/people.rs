//! Officers of the page: accounts, logins and failures. Each change is audited in its own transaction.

use rusqlite::types::Type;
use rusqlite::{OptionalExtension as _, Result, Row, Transaction, TransactionBehavior, params};

use super::audit::{Step, append};
use super::{Storage, StorageError};
use crate::people::lockout::Failures;
use crate::people::{Role, UserName};
use base::time::WallTime;

/// Logins of one officer that are kept; older ones end.
const LOGINS_MAX: i64 = 8;

/// An officer's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: UserName,
    /// The name that others read.
    pub full_name: String,
    /// Rights.
    pub role: Role,
    /// Hash of the password; `None` until the one-time code is used.
    pub password: Option<String>,
    /// Hash of the PIN, where one is set.
    pub pin: Option<String>,
    /// sha256 of a one-time code, and its end.
    pub code: Option<(String, WallTime)>,
    /// Language of the pages, where one is chosen.
    pub language: Option<String>,
    /// Time at which the account was made.
    pub added_at: WallTime,
}

/// A new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser<'a> {
    /// Login name.
    pub name: &'a UserName,
    /// The name that others read.
    pub full_name: &'a str,
    /// Rights.
    pub role: Role,
    /// Hash of the password.
    pub password: Option<&'a str>,
    /// sha256 of a one-time code, and its end.
    pub code: Option<(&'a str, WallTime)>,
}

/// A browser in which an officer is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// sha256 of its token.
    pub token: String,
    /// The officer.
    pub user: User,
    /// Begin.
    pub begun_at: WallTime,
    /// Time at which the officer last did anything.
    pub used_at: WallTime,
    /// The PIN is asked for.
    pub is_locked: bool,
    /// Wrong PINs in a row.
    pub pin_failures: u32,
}

/// Person and time of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By<'a> {
    /// The person.
    pub who: &'a str,
    /// Time.
    pub at: WallTime,
}

/// Outcome of a change of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Done,
    /// There is no such account, or there is one already.
    No,
    /// The last administrator stays.
    LastAdministrator,
}

impl<'a> By<'a> {
    fn step(self, action: &'static str, about: &'a str) -> Step<'a> {
        Step { who: self.who, action, about, at: self.at }
    }
}

const USER: &str = "user.name, user.full_name, user.role, user.password, user.pin, user.code, user.code_ends_us, user.language, user.added_us";

fn user(row: &Row<'_>) -> Result<User> {
    let wrong = |error: crate::people::PersonError| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error))
    };
    let code: Option<String> = row.get(5)?;
    let ends_us: Option<i64> = row.get(6)?;
    Ok(User {
        name: row.get::<_, String>(0)?.parse().map_err(wrong)?,
        full_name: row.get(1)?,
        role: row.get::<_, String>(2)?.parse().map_err(wrong)?,
        password: row.get(3)?,
        pin: row.get(4)?,
        code: code.zip(ends_us.map(WallTime::from_micros)),
        language: row.get(7)?,
        added_at: WallTime::from_micros(row.get(8)?),
    })
}

impl Storage {
    /// All accounts, by name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn users(&self) -> std::result::Result<Vec<User>, StorageError> {
        let failed = self.failed("read the officers of");
        let text = format!("SELECT {USER} FROM user ORDER BY name");
        let mut select = self.connection.prepare_cached(&text).map_err(&failed)?;
        let users = select.query_map([], user).and_then(Iterator::collect);
        users.map_err(&failed)
    }

    /// The account with this name.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn user(&self, name: &UserName) -> std::result::Result<Option<User>, StorageError> {
        let text = format!("SELECT {USER} FROM user WHERE name = ?1");
        let found = self.connection.prepare_cached(&text);
        let found = found.and_then(|mut select| select.query_row([name.as_str()], user).optional());
        found.map_err(self.failed("read an officer of"))
    }

    /// True where there is an account with a password.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has_users(&self) -> std::result::Result<bool, StorageError> {
        let found = self.connection.prepare_cached("SELECT 1 FROM user WHERE password IS NOT NULL");
        found.and_then(|mut select| select.exists([])).map_err(self.failed("read the officers of"))
    }

    /// Makes an account, unless there is one with this name.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add_user(&mut self, new: &NewUser<'_>, by: By<'_>) -> std::result::Result<Changed, StorageError> {
        self.changing("make an account in", |transaction| {
            let (code, ends) = new.code.unzip();
            let made = transaction.execute(
                "INSERT INTO user (name, full_name, role, password, code, code_ends_us, added_us)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
                params![
                    new.name.as_str(),
                    new.full_name,
                    new.role.as_str(),
                    new.password,
                    code,
                    ends.map(WallTime::as_micros),
                    by.at.as_micros()
                ],
            )?;
            if made == 0 {
                return Ok(Changed::No);
            }
            let about = format!("{} ({})", new.name, new.role);
            append(transaction, &by.step("user-add", &about))?;
            Ok(Changed::Done)
        })
    }

    /// Makes the first account, an administrator, unless another was made meanwhile.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add_first_user(
        &mut self,
        new: &NewUser<'_>,
        by: By<'_>,
    ) -> std::result::Result<Changed, StorageError> {
        if self.has_users()? { Ok(Changed::No) } else { self.add_user(new, by) }
    }

    /// Sets a password, and ends the officer's logins and one-time code.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_password(
        &mut self,
        name: &UserName,
        hash: &str,
        by: By<'_>,
    ) -> std::result::Result<Changed, StorageError> {
        self.changing("set a password in", |transaction| {
            let text = "UPDATE user SET password = ?2, code = NULL, code_ends_us = NULL WHERE name = ?1";
            if transaction.execute(text, params![name.as_str(), hash])? == 0 {
                return Ok(Changed::No);
            }
            transaction.execute("DELETE FROM login WHERE user = ?1", [name.as_str()])?;
            append(transaction, &by.step("user-password", name.as_str()))?;
            Ok(Changed::Done)
        })
    }

    /// Sets a one-time code in place of the password, and ends the officer's logins.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_code(
        &mut self,
        name: &UserName,
        code: (&str, WallTime),
        by: By<'_>,
    ) -> std::result::Result<Changed, StorageError> {
        self.changing("set a one-time code in", |transaction| {
            let text = "UPDATE user SET code = ?2, code_ends_us = ?3 WHERE name = ?1";
            if transaction.execute(text, params![name.as_str(), code.0, code.1.as_micros()])? == 0 {
                return Ok(Changed::No);
            }
            append(transaction, &by.step("user-code", name.as_str()))?;
            Ok(Changed::Done)
        })
    }

    /// Sets the PIN that unlocks the officer's pages.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_pin(
        &mut self,
        name: &UserName,
        hash: &str,
        by: By<'_>,
    ) -> std::result::Result<Changed, StorageError> {
        self.changing("set a PIN in", |transaction| {
            let set = "UPDATE user SET pin = ?2 WHERE name = ?1";
            if transaction.execute(set, params![name.as_str(), hash])? == 0 {
                return Ok(Changed::No);
            }
            append(transaction, &by.step("user-pin", name.as_str()))?;
            Ok(Changed::Done)
        })
    }

    /// Sets the language of the officer's pages.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_language(&mut self, name: &UserName, language: &str) -> std::result::Result<(), StorageError> {
        let text = "UPDATE user SET language = ?2 WHERE name = ?1";
        let set = self.connection.execute(text, params![name.as_str(), language]);
        set.map(drop).map_err(self.failed("set a language in"))
    }

    /// Removes an account and its logins. Its name stays in what it did. The last administrator is removed only as the last
    /// account.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remove_user(&mut self, name: &UserName, by: By<'_>) -> std::result::Result<Changed, StorageError> {
        self.changing("remove an account from", |transaction| {
            let others =
                "SELECT count(*), coalesce(sum(role = 'administrator'), 0) FROM user WHERE name <> ?1";
            let (others, administrators): (i64, i64) =
                transaction.query_row(others, [name.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            if others > 0 && administrators == 0 {
                return Ok(Changed::LastAdministrator);
            }
            if transaction.execute("DELETE FROM user WHERE name = ?1", [name.as_str()])? == 0 {
                return Ok(Changed::No);
            }
            append(transaction, &by.step("user-remove", name.as_str()))?;
            Ok(Changed::Done)
        })
    }

    /// Begins a login. The officer's oldest ones beyond a bound end.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn begin_login(
        &mut self,
        token: &str,
        name: &UserName,
        address: &str,
        at: WallTime,
    ) -> std::result::Result<(), StorageError> {
        self.changing("begin a login in", |transaction| {
            transaction.execute(
                "INSERT INTO login (token, user, address, begun_us, used_us) VALUES (?1, ?2, ?3, ?4, ?4)",
                params![token, name.as_str(), address, at.as_micros()],
            )?;
            transaction.execute(
                "DELETE FROM login WHERE user = ?1 AND token NOT IN
                 (SELECT token FROM login WHERE user = ?1 ORDER BY used_us DESC LIMIT ?2)",
                params![name.as_str(), LOGINS_MAX],
            )?;
            append(transaction, &By { who: name.as_str(), at }.step("login", address))
        })
    }

    /// The login whose token has this sha256.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn login(&self, token: &str) -> std::result::Result<Option<Login>, StorageError> {
        let text = format!(
            "SELECT {USER}, login.begun_us, login.used_us, login.is_locked, login.pin_failures
             FROM login JOIN user ON user.name = login.user WHERE login.token = ?1"
        );
        let read = |row: &Row<'_>| {
            Ok(Login {
                token: token.to_owned(),
                user: user(row)?,
                begun_at: WallTime::from_micros(row.get(9)?),
                used_at: WallTime::from_micros(row.get(10)?),
                is_locked: row.get(11)?,
                pin_failures: row.get(12)?,
            })
        };
        let found = self.connection.prepare_cached(&text);
        let found = found.and_then(|mut select| select.query_row([token], read).optional());
        found.map_err(self.failed("read a login of"))
    }

    /// Notes that the officer does something.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn use_login(&mut self, token: &str, at: WallTime) -> std::result::Result<(), StorageError> {
        let text = "UPDATE login SET used_us = ?2 WHERE token = ?1";
        let noted = self.connection.execute(text, params![token, at.as_micros()]);
        noted.map(drop).map_err(self.failed("note a login in"))
    }

    /// Locks a login until its PIN is given.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn lock_login(&mut self, login: &Login, by: By<'_>) -> std::result::Result<(), StorageError> {
        self.changing("lock a login in", |transaction| {
            let text = "UPDATE login SET is_locked = 1 WHERE token = ?1 AND is_locked = 0";
            if transaction.execute(text, [&login.token])? > 0 {
                append(transaction, &by.step("lock", login.user.name.as_str()))?;
            }
            Ok(())
        })
    }

    /// Unlocks a login whose PIN was given.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn unlock_login(&mut self, login: &Login, at: WallTime) -> std::result::Result<(), StorageError> {
        self.changing("unlock a login in", |transaction| {
            let text = "UPDATE login SET is_locked = 0, pin_failures = 0, used_us = ?2 WHERE token = ?1";
            transaction.execute(text, params![login.token, at.as_micros()])?;
            let name = login.user.name.as_str();
            append(transaction, &By { who: name, at }.step("unlock", name))
        })
    }

    /// Counts a wrong PIN.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn count_pin_failure(
        &mut self,
        login: &Login,
        at: WallTime,
    ) -> std::result::Result<(), StorageError> {
        self.changing("count a wrong PIN in", |transaction| {
            let text = "UPDATE login SET pin_failures = pin_failures + 1 WHERE token = ?1";
            transaction.execute(text, [&login.token])?;
            let name = login.user.name.as_str();
            append(transaction, &By { who: name, at }.step("unlock-failed", name))
        })
    }

    /// Ends a login.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn end_login(&mut self, login: &Login, by: By<'_>) -> std::result::Result<(), StorageError> {
        self.changing("end a login in", |transaction| {
            transaction.execute("DELETE FROM login WHERE token = ?1", [&login.token])?;
            append(transaction, &by.step("logout", login.user.name.as_str()))
        })
    }

    /// Failures in a row of a login name or an address.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn failures(&self, subject: &str) -> std::result::Result<Option<Failures>, StorageError> {
        let read =
            |row: &Row<'_>| Ok(Failures { count: row.get(0)?, last_at: WallTime::from_micros(row.get(1)?) });
        let found =
            self.connection.prepare_cached("SELECT failures, last_us FROM login_failure WHERE subject = ?1");
        let found = found.and_then(|mut select| select.query_row([subject], read).optional());
        found.map_err(self.failed("read failures of"))
    }

    /// Counts a failure of each subject, and audits it. Subjects without failures in the last day are forgotten.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn count_failure(
        &mut self,
        subjects: [&str; 2],
        by: By<'_>,
    ) -> std::result::Result<(), StorageError> {
        let before = [self.failures(subjects[0])?, self.failures(subjects[1])?];
        let day_ago = (by.at - std::time::Duration::from_secs(24 * 3600)).as_micros();
        self.changing("count a failure in", |transaction| {
            transaction.execute("DELETE FROM login_failure WHERE last_us < ?1", [day_ago])?;
            for (subject, before) in subjects.iter().zip(before) {
                let now = Failures::and_one(before, by.at);
                transaction.execute(
                    "INSERT OR REPLACE INTO login_failure (subject, failures, last_us) VALUES (?1, ?2, ?3)",
                    params![subject, now.count, by.at.as_micros()],
                )?;
            }
            append(transaction, &by.step("login-failed", subjects[0]))
        })
    }

    /// Forgets the failures of each subject.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget_failures(&mut self, subjects: [&str; 2]) -> std::result::Result<(), StorageError> {
        let text = "DELETE FROM login_failure WHERE subject IN (?1, ?2)";
        let forgotten = self.connection.execute(text, subjects);
        forgotten.map(drop).map_err(self.failed("forget failures in"))
    }

    /// Runs `change` in one transaction that has the write lock from its start.
    fn changing<T>(
        &mut self,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<T>,
    ) -> std::result::Result<T, StorageError> {
        let failed = self.failed(action);
        let transaction = self.begin().map_err(&failed)?;
        let result = change(&transaction).map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(result)
    }

    pub(super) fn begin(&mut self) -> Result<Transaction<'_>> {
        self.connection.transaction_with_behavior(TransactionBehavior::Immediate)
    }
}

#[cfg(test)]
mod tests;
