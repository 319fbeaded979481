//! What the sandbox says before each step, in words for somebody who is new to it.

use std::net::SocketAddr;
use std::path::Path;

use super::place::SampleAgency;
use crate::cli::words::Lang;
use crate::domain::message::Hash;

/// A step.
pub enum Line<'a> {
    /// A folder was made.
    Place {
        /// The folder.
        dir: &'a Path,
    },
    /// The gateway is ready.
    Gateway {
        /// Where agencies connect.
        address: SocketAddr,
        /// Where metrics and probes are.
        ops: SocketAddr,
    },
    /// The sender sends.
    Sending {
        /// The sender.
        sender: &'a SampleAgency,
        /// The document's length.
        bytes: usize,
        /// Its SHA-256.
        hash: Hash,
    },
    /// The recipients collect.
    Collecting {
        /// The recipients.
        recipients: &'a [SampleAgency],
    },
    /// The receipts are shown.
    Receipts,
    /// All was well.
    Well {
        /// How many receipts there were.
        receipts: usize,
    },
    /// Something was not.
    Flawed {
        /// What.
        flaws: &'a [String],
    },
    /// It is your turn.
    Commands,
    /// The end.
    Stopping {
        /// Whether the folder is removed.
        removed: bool,
    },
}

impl Line<'_> {
    /// The line in a language.
    pub fn text(&self, lang: Lang) -> String {
        match lang {
            Lang::Vi => self.vietnamese(),
            Lang::En => self.english(),
        }
    }

    fn vietnamese(&self) -> String {
        match self {
            Self::Place { dir } => format!(
                "Tạo một CA thử nghiệm và chứng thư số cho cổng và các cơ quan mẫu, trong thư mục {}.",
                dir.display()
            ),
            Self::Gateway { address, ops } => format!(
                "Trục đã sẵn sàng: các cơ quan kết nối tới https://{address} bằng TLS hai chiều; số liệu và trạng thái ở http://{ops}/metrics và /readyz."
            ),
            Self::Sending { sender, bytes, hash } => format!(
                "\n{} ({}) gửi một văn bản edXML dài {bytes} byte, SHA-256 {hash}, tới H49 và H02.\nTrục chỉ trả lời \"đã tiếp nhận\" sau khi văn bản đã nằm trên đĩa. H02 (Bắc Giang) đã đóng từ 01/7/2025 nên văn bản được chuyển tới cơ quan kế thừa.",
                sender.title, sender.name
            ),
            Self::Collecting { recipients } => {
                format!("\nCác cơ quan nhận lấy văn bản về và xác nhận: {}.", names(recipients))
            }
            Self::Receipts => {
                "\nNơi gửi nhận được biên nhận cho từng bước, do ai xác nhận, theo thứ tự:".to_owned()
            }
            Self::Well { receipts } => format!(
                "\nĐủ {receipts} biên nhận, đúng thứ tự; các cơ quan nhận có đúng từng byte của văn bản đã gửi."
            ),
            Self::Flawed { flaws } => format!("\nCó điều không đúng: {}", flaws.join("; ")),
            Self::Commands => {
                "\nTrục vẫn đang chạy. Mở cửa sổ dòng lệnh thứ hai và thử (Ctrl-C ở đây để dừng):".to_owned()
            }
            Self::Stopping { removed: true } => "\nDừng trục và xóa thư mục tạm.".to_owned(),
            Self::Stopping { removed: false } => {
                "\nDừng trục. Thư mục được giữ lại; có thể chạy tiếp trên đó.".to_owned()
            }
        }
    }

    fn english(&self) -> String {
        match self {
            Self::Place { dir } => format!(
                "Making a development CA, and certificates for the gateway and the sample agencies, in {}.",
                dir.display()
            ),
            Self::Gateway { address, ops } => format!(
                "The gateway is ready: agencies connect to https://{address} by mutual TLS; figures and probes are at http://{ops}/metrics and /readyz."
            ),
            Self::Sending { sender, bytes, hash } => format!(
                "\n{} ({}) sends an edXML document of {bytes} bytes, SHA-256 {hash}, to H49 and H02.\nThe gateway answers \"accepted\" only when the document is on disk. H02 (Bắc Giang) was closed on 1 July 2025, so its copy goes to the organ that took over.",
                sender.title, sender.name
            ),
            Self::Collecting { recipients } => {
                format!("\nThe recipients collect the document and settle it: {}.", names(recipients))
            }
            Self::Receipts => {
                "\nThe sender gets a receipt for each step, with who asserts it, in order:".to_owned()
            }
            Self::Well { receipts } => {
                format!("\nAll {receipts} receipts arrived, in order; the recipients have every byte as it was sent.")
            }
            Self::Flawed { flaws } => format!("\nSomething is wrong: {}", flaws.join("; ")),
            Self::Commands => {
                "\nThe gateway stays up. Open a second terminal and try (Ctrl-C here ends it):".to_owned()
            }
            Self::Stopping { removed: true } => {
                "\nStopping the gateway and removing the temporary folder.".to_owned()
            }
            Self::Stopping { removed: false } => {
                "\nStopping the gateway. The folder is kept; the sandbox can be started on it again.".to_owned()
            }
        }
    }
}

fn names(agencies: &[SampleAgency]) -> String {
    let named = agencies.iter().map(|agency| format!("{} ({})", agency.title, agency.name));
    named.collect::<Vec<_>>().join(", ")
}
