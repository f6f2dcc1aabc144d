//! Pictures in a terminal that can show them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Picture protocol of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    /// Pixels (kitty's graphics protocol): kitty, Ghostty.
    Kitty,
    /// The file itself (iTerm2's OSC 1337): iTerm2, WezTerm, VS Code, mintty, Konsole.
    Iterm,
}

/// Maximum length of a piece of base64 for kitty.
const PIECE: usize = 4096;

impl Terminal {
    /// The terminal that this process runs in.
    ///
    /// # Errors
    /// It is not known to show pictures.
    pub fn of_this_process() -> anyhow::Result<Self> {
        let of = |key: &str| std::env::var(key).unwrap_or_default();
        Self::of(of).ok_or_else(|| {
            anyhow::anyhow!(
                "this terminal is not known to show pictures; use --thumbnails FOLDER instead of --inline"
            )
        })
    }

    fn of(environment: impl Fn(&str) -> String) -> Option<Self> {
        let program = environment("TERM_PROGRAM");
        let is_kitty = !environment("KITTY_WINDOW_ID").is_empty() || environment("TERM") == "xterm-kitty";
        match program.as_str() {
            _ if is_kitty => Some(Self::Kitty),
            "ghostty" => Some(Self::Kitty),
            "iTerm.app" | "WezTerm" | "vscode" | "mintty" => Some(Self::Iterm),
            _ if environment("LC_TERMINAL") == "iTerm2" => Some(Self::Iterm),
            _ if !environment("KONSOLE_VERSION").is_empty() => Some(Self::Iterm),
            _ => None,
        }
    }

    /// Text to print for a JPEG; empty for one that cannot be decoded.
    pub fn picture(self, jpeg: &[u8]) -> String {
        match self {
            Self::Iterm => {
                let (size, text) = (jpeg.len(), STANDARD.encode(jpeg));
                format!("\x1b]1337;File=inline=1;size={size};preserveAspectRatio=1:{text}\x07\n")
            }
            Self::Kitty => kitty(jpeg).unwrap_or_default(),
        }
    }
}

fn kitty(jpeg: &[u8]) -> Option<String> {
    let picture = image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).ok()?.into_rgb8();
    let text = STANDARD.encode(picture.as_raw());
    let mut keys = format!("a=T,f=24,s={},v={},q=2,", picture.width(), picture.height());
    let mut said = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(PIECE.min(rest.len()));
        let goes_on = u8::from(!after.is_empty());
        said.push_str(&format!("\x1b_G{keys}m={goes_on};{piece}\x1b\\"));
        keys.clear();
        rest = after;
    }
    said.push('\n');
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_known_by_what_they_say() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            Terminal::of(|key| {
                set.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| value).to_owned()
            })
        };
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Some(Terminal::Kitty));
        assert_eq!(of(&[("TERM_PROGRAM", "WezTerm")]), Some(Terminal::Iterm));
        assert_eq!(of(&[("LC_TERMINAL", "iTerm2"), ("TERM_PROGRAM", "tmux")]), Some(Terminal::Iterm));
        assert_eq!(of(&[("TERM", "xterm-256color")]), None);
    }

    #[test]
    fn a_picture_comes_out_as_it_went_in() {
        let mut jpeg = Vec::new();
        let picture = image::RgbImage::from_pixel(64, 40, image::Rgb([200, 30, 30]));
        picture.write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg).unwrap();
        let said = Terminal::Iterm.picture(&jpeg);
        let text = said.split(':').next_back().unwrap().trim_end_matches(['\x07', '\n']);
        assert_eq!(STANDARD.decode(text).unwrap(), jpeg);
        let said = Terminal::Kitty.picture(&jpeg);
        assert!(said.starts_with("\x1b_Ga=T,f=24,s=64,v=40,q=2,m=1;"), "{:?}", &said[..40]);
        let pieces: Vec<&str> =
            said.split("\x1b\\").filter_map(|piece| piece.split_once(';').map(|(_, text)| text)).collect();
        let last = said.rfind("\x1b_G").unwrap();
        assert!(said[last..].starts_with("\x1b_Gm=0;"), "{:?}", &said[last..last + 8]);
        assert_eq!(STANDARD.decode(pieces.concat()).unwrap().len(), 64 * 40 * 3);
        assert_eq!(Terminal::Kitty.picture(b"no picture"), "");
    }
}
