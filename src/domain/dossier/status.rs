//! The ten statuses of the National Public Service Portal, and which of them usually follow each other.

/// The status of a dossier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DossierStatus {
    /// 1, registered online, not yet looked at.
    Registered,
    /// 2, accepted for processing.
    Accepted,
    /// 3, not accepted.
    Refused,
    /// 4, in process.
    InProcess,
    /// 5, more papers are asked for.
    SupplementRequired,
    /// 6, a fee or tax is to be paid.
    PaymentRequired,
    /// 7, the citizen asks for the dossier back.
    WithdrawalRequested,
    /// 8, stopped.
    Stopped,
    /// 9, processed.
    Processed,
    /// 10, the result was handed over: the end.
    Returned,
}

impl DossierStatus {
    /// All of them, by their numbers.
    pub const ALL: [Self; 10] = [
        Self::Registered,
        Self::Accepted,
        Self::Refused,
        Self::InProcess,
        Self::SupplementRequired,
        Self::PaymentRequired,
        Self::WithdrawalRequested,
        Self::Stopped,
        Self::Processed,
        Self::Returned,
    ];

    /// By its number, 1 to 10.
    pub fn from_number(number: u32) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }

    /// Its number, 1 to 10.
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    /// As the portal writes it in Vietnamese.
    pub fn vietnamese(self) -> &'static str {
        match self {
            Self::Registered => "Mới đăng ký",
            Self::Accepted => "Được tiếp nhận",
            Self::Refused => "Không được tiếp nhận",
            Self::InProcess => "Đang xử lý",
            Self::SupplementRequired => "Yêu cầu bổ sung giấy tờ",
            Self::PaymentRequired => "Yêu cầu thực hiện nghĩa vụ tài chính",
            Self::WithdrawalRequested => "Công dân yêu cầu rút hồ sơ",
            Self::Stopped => "Dừng xử lý",
            Self::Processed => "Đã xử lý xong",
            Self::Returned => "Đã trả kết quả",
        }
    }

    /// In English.
    pub fn english(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::InProcess => "in process",
            Self::SupplementRequired => "supplement required",
            Self::PaymentRequired => "payment required",
            Self::WithdrawalRequested => "withdrawal requested",
            Self::Stopped => "stopped",
            Self::Processed => "processed",
            Self::Returned => "result returned",
        }
    }

    /// Whether work on the dossier is over: what was due is no longer overdue.
    pub fn is_done(self) -> bool {
        matches!(self, Self::Refused | Self::Stopped | Self::Processed | Self::Returned)
    }

    /// What usually comes after it.
    pub fn usually_before(self) -> &'static [Self] {
        use DossierStatus::{
            Accepted, InProcess, PaymentRequired, Processed, Refused, Returned, Stopped, SupplementRequired,
            WithdrawalRequested,
        };
        match self {
            Self::Registered => {
                &[Accepted, Refused, SupplementRequired, PaymentRequired, WithdrawalRequested]
            }
            Self::Accepted => &[InProcess, SupplementRequired, PaymentRequired, WithdrawalRequested, Stopped],
            Self::Refused => &[Returned],
            // Work has stages: it is handed from department to department.
            Self::InProcess => {
                &[InProcess, SupplementRequired, PaymentRequired, WithdrawalRequested, Stopped, Processed]
            }
            Self::SupplementRequired => &[Accepted, Refused, InProcess, WithdrawalRequested, Stopped],
            Self::PaymentRequired => &[Accepted, InProcess, WithdrawalRequested, Stopped, Processed],
            Self::WithdrawalRequested => &[InProcess, Stopped, Returned],
            Self::Stopped => &[InProcess, Returned],
            Self::Processed => &[PaymentRequired, Returned],
            Self::Returned => &[],
        }
    }

    /// Whether a dossier usually begins with it: online with 1, at a desk with 2 or 3.
    pub fn usually_first(self) -> bool {
        matches!(self, Self::Registered | Self::Accepted | Self::Refused)
    }
}
