//! Headroom on the post's disk: without it no alert is stored, and so none acknowledged. The boxes keep them.

use tokio::sync::watch;
use tokio::time::sleep;

use super::{DISK_RETRY, End, Link, NoticeKind, until};
use base::clock;
use base::fault::chain;

impl Link {
    /// Waits until the disk has room for alerts. Retention goes on meanwhile.
    pub(super) async fn wait_for_room(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<(), End> {
        let mut is_told = false;
        loop {
            let least = self.settings.free_bytes_min;
            let room = match self.storage().room() {
                Ok(room) => room,
                Err(error) => {
                    // Storing says more of a disk that does not answer.
                    tracing::debug!("{}", chain(&error));
                    return Ok(());
                }
            };
            if room >= least {
                if is_told {
                    tracing::info!("the post takes alerts again: its disk has {room} bytes left");
                    self.store_notice(NoticeKind::RoomBack, None, stopped).await?;
                    // Nothing was heard of the boxes meanwhile.
                    self.subscribed_since = Some(clock::monotonic());
                }
                return Ok(());
            }
            if !is_told {
                is_told = true;
                tracing::error!(
                    "no alert is taken or acknowledged: the disk of {} has {room} bytes left, and post.free_bytes_min is \
                     {least}; make room, or lower post.keep_days",
                    self.settings.database.display()
                );
                self.store_notice(NoticeKind::RoomLost, None, stopped).await?;
            }
            self.keep_up().await?;
            tokio::select! {
                () = sleep(DISK_RETRY) => {}
                () = until(stopped) => return Err(End::Stopped),
            }
        }
    }
}
