//! The words people read in tables, in Vietnamese and English. One closed list, so that no language lacks one.

use clap::ValueEnum;

use crate::proto::v1;

/// A language of the program's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// Tiếng Việt
    Vi,
    /// English
    En,
}

impl Lang {
    /// The language the environment asks for, by the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set.
    pub fn of_environment(variables: impl Iterator<Item = (String, String)>) -> Self {
        const NAMES: [&str; 3] = ["LC_ALL", "LC_MESSAGES", "LANG"];
        let place = |name: &str| NAMES.iter().position(|known| *known == name);
        let asked = variables
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, value)| Some((place(&name)?, value)))
            .min_by_key(|(place, _)| *place);
        match asked {
            Some((_, value)) if value.starts_with("vi") => Self::Vi,
            Some(_) | None => Self::En,
        }
    }
}

macro_rules! words {
    ($($name:ident = $vi:literal, $en:literal;)*) => {
        /// A word or a few.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $(#[doc = $en] $name,)*
        }

        impl Word {
            /// In a language.
            pub fn text(self, lang: Lang) -> &'static str {
                match (self, lang) {
                    $((Self::$name, Lang::Vi) => $vi, (Self::$name, Lang::En) => $en,)*
                }
            }
        }
    };
}

words! {
    Sequence = "STT", "No.";
    Time = "Thời gian (+07:00)", "Time (+07:00)";
    Event = "Sự kiện", "Event";
    Organs = "Cơ quan", "Organ";
    AssertedBy = "Bên xác nhận", "Asserted by";
    Reason = "Lý do / căn cứ pháp lý", "Reason / legal basis";
    Message = "Mã thông điệp", "Message id";
    Delivery = "Lượt giao", "Delivery";
    Recipient = "Nơi nhận", "Recipient";
    AddressedTo = "Gửi tới", "Addressed to";
    State = "Trạng thái", "State";
    Attempts = "Số lần", "Attempts";
    DueTime = "Bước tiếp theo (+07:00)", "Next step (+07:00)";
    Sender = "Nơi gửi", "Sender";
    Code = "Số, ký hiệu", "Number";
    Subject = "Trích yếu", "Subject";
    UrgencyLevel = "Độ khẩn", "Urgency";
    DueDate = "Hạn xử lý", "Due date";
    AcceptTime = "Trục nhận lúc", "Accepted at";
    ExpireTime = "Hết hạn lúc", "Expires at";
    Payload = "Nội dung", "Payload";
    Bytes = "byte", "bytes";
    File = "Tệp", "File";
    Outcome = "Kết quả", "Outcome";
    OrganId = "Mã định danh", "Organ id";
    OrganName = "Tên cơ quan", "Name";
    ClosedSince = "Đóng từ ngày", "Closed since";
    Successors = "Cơ quan kế thừa", "Successors";
    LegalBasis = "Căn cứ pháp lý", "Legal basis";
    DocumentsGoTo = "Văn bản chuyển tới", "Documents go to";
    Candidates = "Có thể là", "May be";
    Path = "Qua các mã", "By way of";
    Handler = "Đầu mối xử lý", "Handler";
    Day = "Ngày", "Day";
    Change = "Thay đổi", "Change";
    OtherOrgans = "Cơ quan liên quan", "Other organs";
    Link = "Kết nối", "Link";
    Version = "Phiên bản", "Version";
    NoGatewayAsked = "không có nút nào đang chạy: chưa biết văn bản đang chờ", "no gateway asked: none runs here, so what waits is not known";
    NoGatewayTakesUp = "không có nút nào đang chạy: thay đổi có hiệu lực khi nút khởi động", "no gateway asked: none runs here, it takes the changes up when it starts";
    RepeatedSubmission = "đã gửi trước đây; đây là biên nhận gốc", "submitted before; this is the original receipt";
    Gateway = "trục", "gateway";
    ParkedId = "Mã lưu tạm", "Parked id";
    ParkCause = "Nguyên nhân", "Cause";
    Wants = "Muốn theo dõi", "Wants";
    Queue = "Hàng đợi", "Queue";
    Events = "Sự kiện đang chờ", "Events waiting";
    Consumers = "Số bên đọc", "Consumers";
    NotThere = "chưa có trên RabbitMQ", "not on RabbitMQ";
    NotAttached = "danh mục không nối bằng AMQP", "the directory does not attach it by AMQP";

    Endpoint = "Điểm nhận", "Endpoint";
    EndpointServer = "Chứng thư của điểm nhận", "Certificate of";
    InFlightMax = "Số lượt giao cùng lúc", "Deliveries at a time";
    CallTimeout = "Thời hạn một lần gọi (giây)", "Time for a call (s)";
    ReceiptsPushed = "Biên nhận đã đưa tới", "Receipts brought up to";
    RegisteredAt = "Đăng ký lúc", "Registered at";
    RegisteredBy = "Đăng ký bởi", "Registered by";
    OutSince = "Gián đoạn từ", "Out since";
    InVain = "Số lần gọi không được", "Attempts in vain";
    LinkUp = "đang nhận", "takes what it is brought";
    LinkOut = "gián đoạn", "takes nothing at present";
    LinkPaused = "tạm dừng", "paused";
    LinkDeleted = "đã xóa điểm nhận; văn bản chờ trong hộp thư", "deleted; what comes waits in the mailbox";

    Accepted = "đã tiếp nhận lên trục", "accepted";
    Redirected = "chuyển hướng", "redirected";
    Offered = "đã đưa tới nơi nhận", "offered";
    Deferred = "hẹn giao lại", "deferred";
    Delivered = "đã giao", "delivered";
    Rejected = "bị từ chối", "rejected";
    Expired = "quá hạn", "expired";
    Cancelled = "đã lấy lại", "cancelled";
    Dead = "cần người xử lý", "dead";
    Purged = "đã xóa nội dung", "payload purged";
    Held = "lưu giữ theo yêu cầu", "held";
    Released = "thôi lưu giữ", "released";
    Replayed = "cho giao lại", "replayed";
    Discarded = "người vận hành hủy bỏ", "an operator gave it up";
    PurgeTime = "Xóa nội dung lúc", "Payload purged at";
    DeadSince = "Dừng từ (+07:00)", "Dead since (+07:00)";
    Hold = "Mã lưu giữ", "Hold";
    HeldThing = "Đối tượng lưu giữ", "Keeps";
    SetBy = "Người đặt", "Set by";
    SetTime = "Đặt lúc (+07:00)", "Set at (+07:00)";
    ReleasedBy = "Người thôi", "Released by";
    ReleaseTime = "Thôi lúc (+07:00)", "Released at (+07:00)";
    MoreDead = "còn nữa: chạy lại lệnh", "there are more: run the command again";
    Queued = "đang chờ lấy", "queued";
    InFlight = "đang giao", "in flight";
    Waiting = "chờ giao lại", "waiting";
    Unknown = "không rõ", "unknown";

    RecipientDeferred = "nơi nhận hẹn lại", "the recipient asked for a later attempt";
    LeaseExpired = "hết thời gian giữ", "the lease expired";
    Disconnected = "mất kết nối với nơi nhận", "the collector disconnected";
    GatewayRestarted = "trục khởi động lại", "the gateway restarted";
    AttemptsExhausted = "đã hết số lần giao", "offered as often as allowed";
    RecipientClosed = "nơi nhận đã đóng", "the recipient has closed";
    QueueRefused = "hàng đợi của nơi nhận không nhận", "the recipient's queue did not take it";
    PushUnreachable = "không gọi được điểm nhận", "the recipient's endpoint takes nothing";
    PushTimedOut = "điểm nhận không trả lời kịp", "the recipient's endpoint did not answer in time";
    PushFailed = "điểm nhận gặp lỗi", "the recipient's endpoint failed";
    PushRefused = "điểm nhận không nhận lượt này", "the recipient's endpoint will not take it";
    PushLinkRefused = "điểm nhận không đúng hoặc không cho gọi", "the recipient's endpoint is wrong or not open to the gateway";
    NextAttempt = "giao lại từ", "again from";

    Normal = "thường", "normal";
    Urgent = "khẩn", "urgent";
    VeryUrgent = "thượng khẩn", "very urgent";
    Express = "hỏa tốc", "express";
    TimedExpress = "hỏa tốc hẹn giờ", "timed express";

    Open = "đang hoạt động", "open";
    Ambiguous = "đã đóng, nhiều cơ quan kế thừa", "closed, several took over";
    Closed = "đã đóng", "closed";

    BusinessStatus = "Trạng thái xử lý", "Status";
    Reported = "báo trạng thái", "status reported";
    RepeatedReport = "đã báo trước đây; đây là biên nhận gốc", "reported before; this is the original receipt";
    StatusArrived = "đã đến", "arrived";
    StatusRefused = "từ chối tiếp nhận", "refused";
    StatusAccepted = "đã tiếp nhận", "accepted and registered";
    StatusAssigned = "phân công", "assigned";
    StatusInProcess = "đang xử lý", "in process";
    StatusDone = "hoàn thành", "done";
    StatusRecallAsked = "lấy lại", "asked back";
    StatusChangeAgreed = "đồng ý cập nhật/lấy lại", "agrees to the change";
    StatusChangeRefused = "từ chối cập nhật/lấy lại", "refuses the change";

    Requested = "đã yêu cầu nơi nhận", "asked";
    Lapsed = "yêu cầu không còn hiệu lực", "request lapsed";
    Kind = "Loại", "Kind";
    KindDocument = "văn bản", "document";
    KindRecall = "thu hồi", "recall";
    KindUpdate = "cập nhật", "update";
    KindReplacement = "thay thế", "replacement";
    Changes = "Thay đổi thông điệp", "Changes";
    Effect = "Kết quả ở nơi nhận", "Outcome at recipients";
    EffectAsked = "đã yêu cầu, chờ trả lời", "asked, not answered";
    EffectNothing = "không còn gì để làm", "nothing to do";
    AnswerAgreed = "nơi nhận đồng ý", "agreed";
    AnswerRefused = "nơi nhận từ chối", "refused";
    Asked = "Yêu cầu", "Asked";
    Lineage = "Chuỗi thay đổi", "Chain of changes";
    DocumentUnknown = "trục không biết văn bản này", "no such document is known here";
    Overdue = "chưa xác nhận đúng hạn", "overdue";
    AcknowledgeBy = "Hạn xác nhận (+07:00)", "Acknowledge by (+07:00)";
    AcknowledgeTime = "Xác nhận lúc (+07:00)", "Acknowledged at (+07:00)";
    OverdueTime = "Ghi nhận quá hạn (+07:00)", "Overdue since (+07:00)";
    DueCount = "Phải xác nhận", "Due";
    OverdueCount = "Không đúng hạn", "Overdue";
    OverdueNow = "Còn chưa xác nhận", "Still overdue";
    InTimeShare = "Đúng hạn", "In time";
    All = "tất cả", "all";
    Yes = "có", "yes";
    No = "không", "no";

    LargestPayload = "Nội dung tối đa (byte)", "Largest payload (bytes)";
    TypesTaken = "Loại văn bản nhận", "Document types taken";
    TakesFromCaller = "Nhận văn bản của bên hỏi", "Takes what the asking organ sends";
    MailboxRoom = "Chỗ trong hộp thư", "Room in the mailbox";
    MailboxMax = "Hộp thư chứa tối đa (lượt giao)", "Deliveries a mailbox holds at most";
    WindowMax = "Lượt giao giữ cùng lúc trên một nút", "Deliveries held at a time on a node";
    CallerRate = "Bên hỏi được gửi mỗi giây", "Submissions of the asking organ a second";
    CallerBurst = "Bên hỏi được gửi một lúc", "Submissions of the asking organ at once";
    RoomPlenty = "còn nhiều", "plenty";
    RoomShort = "gần đầy", "a tenth or less";
    RoomFull = "đầy", "none";

    Subjects = "Chủ thể", "Subject";
    Role = "Vai trò", "Role";
    Serial = "Số sê-ri", "Serial";
    Fingerprint = "SHA-256", "SHA-256";
    NotBefore = "Hiệu lực từ", "Valid from";
    NotAfter = "Hiệu lực đến", "Valid until";
    Certificate = "Chứng thư số", "Certificate";
    PrivateKey = "Khóa bí mật", "Private key";
    RevocationList = "Danh sách thu hồi", "Revocation list";
    Profile = "Hồ sơ kết nối", "Profile";
    Revoked = "đã thu hồi", "revoked";
    Collected = "văn bản đã lấy về", "documents collected";
    Sending = "đang gửi", "sending";
    DossierCode = "Mã hồ sơ", "Dossier";
    Procedure = "Thủ tục", "Procedure";
    Step = "Bước", "Step";
    DossierDue = "Hẹn trả (+07:00)", "Due (+07:00)";
    DossierOverdue = "quá hạn", "overdue";
    MissingSteps = "Bước còn thiếu", "Missing steps";
    Department = "Phòng ban", "Department";
    Note = "Nội dung", "Note";
    Remark = "Ghi chú", "Remark";
    StepsRefused = "bước bị từ chối", "steps were refused";
    StepShown = "đã ghi nhận", "taken";
    StepHeld = "chờ bước trước", "held";
    StepRepeated = "đã có", "repeated";
    StepUnusual = "khác thường", "unusual";
    StepAfterGap = "thiếu bước trước", "after a gap";
    StepLate = "đến muộn", "late";
    StepUnmapped = "mã chưa ánh xạ", "unmapped code";
    Consumer = "Người nhận", "Consumer";
    Share = "Phần", "Share";
    Position = "Vị trí", "Position";
    Behind = "Còn lại", "Behind";
    BehindSince = "Chậm từ (+07:00)", "Behind since (+07:00)";
    SeenStep = "Đã xem đến bước", "Has seen step";
    DossiersInGateway = "Hồ sơ trên trục", "Dossiers in the gateway";
    DossiersInFile = "Hồ sơ trong tệp", "Dossiers in the file";
    DossiersLeftOut = "Bước ngoài phạm vi, bỏ qua", "Steps of other dossiers, left out";
    DossiersDifferent = "Hồ sơ khác nhau", "Dossiers that differ";
    GatewayLacks = "Trục thiếu bước", "Gateway lacks";
    FileLacks = "Tệp thiếu bước", "File lacks";
    ContentDiffers = "Khác nội dung", "Content differs";
    StepsPublished = "Bước đã công bố", "Steps published";
    StepsFetched = "Bước đã ghi vào tệp", "Steps added to the file";
    StepsNotTaken = "Bước bị từ chối", "Steps refused";
    StepTimeBack = "thời gian lùi", "time goes back";
}

/// The word for a rung of a message's life.
pub fn kind(kind: v1::ReceiptKind) -> Word {
    match kind {
        v1::ReceiptKind::Unspecified => Word::Unknown,
        v1::ReceiptKind::Accepted => Word::Accepted,
        v1::ReceiptKind::Redirected => Word::Redirected,
        v1::ReceiptKind::Offered => Word::Offered,
        v1::ReceiptKind::Deferred => Word::Deferred,
        v1::ReceiptKind::Delivered => Word::Delivered,
        v1::ReceiptKind::Rejected => Word::Rejected,
        v1::ReceiptKind::Expired => Word::Expired,
        v1::ReceiptKind::Cancelled => Word::Cancelled,
        v1::ReceiptKind::Dead => Word::Dead,
        v1::ReceiptKind::Status => Word::Reported,
        v1::ReceiptKind::Requested => Word::Requested,
        v1::ReceiptKind::Lapsed => Word::Lapsed,
        v1::ReceiptKind::Purged => Word::Purged,
        v1::ReceiptKind::Held => Word::Held,
        v1::ReceiptKind::Released => Word::Released,
        v1::ReceiptKind::Replayed => Word::Replayed,
        v1::ReceiptKind::Overdue => Word::Overdue,
    }
}

/// A business status with its code, `03 đã tiếp nhận`; nothing where there is none.
pub fn status_text(status: v1::BusinessStatus, lang: Lang) -> String {
    let word = match status {
        v1::BusinessStatus::Unspecified => return String::new(),
        v1::BusinessStatus::Arrived => Word::StatusArrived,
        v1::BusinessStatus::Refused => Word::StatusRefused,
        v1::BusinessStatus::Accepted => Word::StatusAccepted,
        v1::BusinessStatus::Assigned => Word::StatusAssigned,
        v1::BusinessStatus::InProcess => Word::StatusInProcess,
        v1::BusinessStatus::Done => Word::StatusDone,
        v1::BusinessStatus::RecallAsked => Word::StatusRecallAsked,
        v1::BusinessStatus::ChangeAgreed => Word::StatusChangeAgreed,
        v1::BusinessStatus::ChangeRefused => Word::StatusChangeRefused,
    };
    format!("{:02} {}", i32::from(status), word.text(lang))
}

/// The word for a delivery's state.
pub fn state(state: v1::DeliveryState) -> Word {
    match state {
        v1::DeliveryState::Unspecified => Word::Unknown,
        v1::DeliveryState::Queued => Word::Queued,
        v1::DeliveryState::InFlight => Word::InFlight,
        v1::DeliveryState::Waiting => Word::Waiting,
        v1::DeliveryState::Delivered => Word::Delivered,
        v1::DeliveryState::Rejected => Word::Rejected,
        v1::DeliveryState::Expired => Word::Expired,
        v1::DeliveryState::Cancelled => Word::Cancelled,
        v1::DeliveryState::Dead => Word::Dead,
        v1::DeliveryState::Redirected => Word::Redirected,
    }
}

/// The words for why a delivery was deferred or is dead; none where there is no cause.
pub fn cause(cause: v1::DeliveryCause) -> Option<Word> {
    Some(match cause {
        v1::DeliveryCause::Unspecified => return None,
        v1::DeliveryCause::RecipientDeferred => Word::RecipientDeferred,
        v1::DeliveryCause::LeaseExpired => Word::LeaseExpired,
        v1::DeliveryCause::Disconnected => Word::Disconnected,
        v1::DeliveryCause::GatewayRestarted => Word::GatewayRestarted,
        v1::DeliveryCause::AttemptsExhausted => Word::AttemptsExhausted,
        v1::DeliveryCause::QueueRefused => Word::QueueRefused,
        v1::DeliveryCause::RecipientClosed => Word::RecipientClosed,
        v1::DeliveryCause::Discarded => Word::Discarded,
        v1::DeliveryCause::PushUnreachable => Word::PushUnreachable,
        v1::DeliveryCause::PushTimedOut => Word::PushTimedOut,
        v1::DeliveryCause::PushFailed => Word::PushFailed,
        v1::DeliveryCause::PushRefused => Word::PushRefused,
        v1::DeliveryCause::PushLinkRefused => Word::PushLinkRefused,
    })
}

/// The word for a kind of message, or for what one asks; nothing where there is none.
pub fn message_kind(kind: v1::MessageKind, lang: Lang) -> String {
    let word = match kind {
        v1::MessageKind::Unspecified => return String::new(),
        v1::MessageKind::Document => Word::KindDocument,
        v1::MessageKind::Recall => Word::KindRecall,
        v1::MessageKind::Update => Word::KindUpdate,
        v1::MessageKind::Replacement => Word::KindReplacement,
    };
    word.text(lang).to_owned()
}

/// The word for what a change did to a delivery, and how that was answered.
pub fn effect(changed: &v1::ChangedDelivery) -> Word {
    match (changed.effect(), changed.answer()) {
        (v1::ChangeEffect::Unspecified, _) => Word::Unknown,
        (v1::ChangeEffect::Cancelled, _) => Word::Cancelled,
        (v1::ChangeEffect::Nothing, _) => Word::EffectNothing,
        (v1::ChangeEffect::Asked, v1::ChangeAnswer::Unspecified) => Word::EffectAsked,
        (v1::ChangeEffect::Asked, v1::ChangeAnswer::Agreed) => Word::AnswerAgreed,
        (v1::ChangeEffect::Asked, v1::ChangeAnswer::Refused) => Word::AnswerRefused,
        (v1::ChangeEffect::Asked, v1::ChangeAnswer::Lapsed) => Word::Lapsed,
    }
}

/// The word for an urgency.
pub fn urgency(urgency: v1::Urgency) -> Word {
    match urgency {
        v1::Urgency::Unspecified | v1::Urgency::Normal => Word::Normal,
        v1::Urgency::Urgent => Word::Urgent,
        v1::Urgency::VeryUrgent => Word::VeryUrgent,
        v1::Urgency::Express => Word::Express,
        v1::Urgency::TimedExpress => Word::TimedExpress,
    }
}

/// The word for how much room a mailbox has.
pub fn room(room: v1::MailboxRoom) -> Word {
    match room {
        v1::MailboxRoom::Unspecified => Word::Unknown,
        v1::MailboxRoom::Plenty => Word::RoomPlenty,
        v1::MailboxRoom::Short => Word::RoomShort,
        v1::MailboxRoom::Full => Word::RoomFull,
    }
}

/// The word for what the directory says of an organ id.
pub fn resolution(resolution: v1::Resolution) -> Word {
    match resolution {
        v1::Resolution::Unspecified | v1::Resolution::Unknown => Word::Unknown,
        v1::Resolution::Open => Word::Open,
        v1::Resolution::Redirected => Word::Redirected,
        v1::Resolution::Ambiguous => Word::Ambiguous,
        v1::Resolution::Closed => Word::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_chooses_the_language() {
        let lang = |set: &[(&str, &str)]| {
            Lang::of_environment(set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        };
        assert_eq!(lang(&[]), Lang::En);
        assert_eq!(lang(&[("LANG", "vi_VN.UTF-8")]), Lang::Vi);
        assert_eq!(lang(&[("LANG", "vi_VN"), ("LC_ALL", "C.UTF-8")]), Lang::En);
        assert_eq!(lang(&[("LC_ALL", ""), ("LC_MESSAGES", "vi"), ("LANG", "C")]), Lang::Vi);
        assert_eq!(lang(&[("LANGUAGE", "vi")]), Lang::En);
    }
}
