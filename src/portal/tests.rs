use super::*;

fn step() -> Value {
    json!({
        "MaHoSo": "000.00.14.H20-200703-0002",
        "MaTTHC": "1.004194",
        "NguoiXuLy": "Nguyễn Văn A",
        "ChucDanh": "Chuyên viên",
        "ThoiDiemXuLy": "20260705083000",
        "PhongBanXuLy": "Bộ phận Một cửa",
        "NoiDungXuLy": "Tiếp nhận hồ sơ",
        "TrangThai": "2",
        "NgayBatDau": "20260705080000",
        "NgayKetThucTheoQuyDinh": "20260712170000",
    })
}

fn read_with(change: impl FnOnce(&mut Map<String, Value>)) -> Result<Vec<v1::DossierStep>, PortalError> {
    let mut entry = step();
    change(entry.as_object_mut().unwrap());
    read(&entry.to_string(), &Reading::default())
}

#[test]
fn progress_is_read_and_written_the_same() {
    let steps = read_with(|_| {}).unwrap();
    let [read] = &steps[..] else { panic!("one step") };
    assert_eq!((read.step, read.status, read.procedure_code.as_str()), (1, 2, "1.004194"));
    // 08:30 in Vietnam is 01:30 UTC.
    assert_eq!(read.occurred_time.unwrap().seconds % 86_400, 90 * 60);
    let event = v1::DossierEvent { step: Some(read.clone()), ..Default::default() };
    let mut written = progress(&event);
    assert_eq!(written.as_object_mut().unwrap().remove("SoBuoc"), Some(json!(1)));
    assert_eq!(written, step());
}

#[test]
fn a_dossier_is_a_step_too_and_is_written_from_its_steps() {
    let read = read_with(|entry| {
        for (from, to) in [
            ("ThoiDiemXuLy", "NgayTiepNhan"),
            ("TrangThai", "TrangThaiHoSo"),
            ("NgayKetThucTheoQuyDinh", "NgayHenTra"),
            ("PhongBanXuLy", "DonViXuLy"),
            ("NoiDungXuLy", "GhiChu"),
        ] {
            let value = entry.remove(from).unwrap();
            entry.insert(to.to_owned(), value);
        }
    });
    let read = read.unwrap().remove(0);
    let standing = v1::Dossier {
        procedure_code: read.procedure_code.clone(),
        due_time: read.due_time,
        ..Default::default()
    };
    let written = dossier(&standing, &[v1::DossierEvent { step: Some(read), ..Default::default() }]);
    assert_eq!(written["MaHoSo"], "000.00.14.H20-200703-0002");
    assert_eq!((&written["NgayTiepNhan"], &written["NgayTra"]), (&json!("20260705083000"), &json!("")));
    assert_eq!((&written["TrangThaiHoSo"], &written["NgayHenTra"]), (&json!("2"), &json!("20260712170000")));
}

#[test]
fn steps_are_numbered_in_their_order_dossier_by_dossier() {
    let mut other = step();
    other["MaHoSo"] = json!("G09.20-20260609-0092637");
    let mut numbered = step();
    numbered["SoBuoc"] = json!(7);
    // The first dossier in its other form.
    let mut same = step();
    same["MaHoSo"] = json!("H20.14-20200703-0002");
    let all = json!([step(), other, same, numbered, step()]);
    let reading = Reading { first_step: 3, ..Reading::default() };
    let numbers: Vec<_> = read(&all.to_string(), &reading).unwrap().iter().map(|step| step.step).collect();
    assert_eq!(numbers, [3, 3, 4, 7, 8]);
}

#[test]
fn own_codes_stay_what_they_are() {
    let reading = Reading { code_set: Some("egov".to_owned()), ..Reading::default() };
    let read = read(&step().to_string(), &reading).unwrap().remove(0);
    let own = read.own_status.clone().unwrap();
    assert_eq!((read.status, own.code_set.as_str(), own.code.as_str()), (0, "egov", "2"));
    assert_eq!(progress(&v1::DossierEvent { step: Some(read), ..Default::default() })["TrangThai"], "2");
}

#[test]
fn each_fault_is_told_in_both_languages() {
    type Change = fn(&mut Map<String, Value>);
    let cases: [(&str, Fault, Change); 9] = [
        ("MaHoSo", Fault::Missing, |e| _ = e.remove("MaHoSo")),
        ("MaTTHC", Fault::Missing, |e| _ = e.insert("MaTTHC".into(), json!(" "))),
        ("ThoiDiemXuLy", Fault::Missing, |e| _ = e.remove("ThoiDiemXuLy")),
        ("ThoiDiemXuLy", Fault::Time("20260230000000".into()), |e| {
            e.insert("ThoiDiemXuLy".into(), json!("20260230000000"));
        }),
        ("NgayBatDau", Fault::Time("05/07/2026".into()), |e| {
            e.insert("NgayBatDau".into(), json!("05/07/2026"));
        }),
        ("TrangThai", Fault::Status("11".into()), |e| _ = e.insert("TrangThai".into(), json!(11))),
        ("TrangThai", Fault::Missing, |e| _ = e.insert("TrangThai".into(), Value::Null)),
        ("SoBuoc", Fault::NoNumber("một".into()), |e| _ = e.insert("SoBuoc".into(), json!("một"))),
        ("NguoiXuLy", Fault::NoText, |e| _ = e.insert("NguoiXuLy".into(), json!(["A"]))),
    ];
    for (field, fault, change) in cases {
        let error = read_with(change).unwrap_err();
        assert_eq!((error.place, error.field.as_str(), &error.fault), (1, field, &fault));
        assert!(
            error.vietnamese().starts_with(&format!("mục 1, trường {field}: ")),
            "{}",
            error.vietnamese()
        );
        assert!(error.english().starts_with(&format!("entry 1, field {field}: ")), "{error}");
    }
    let dossier = read_with(|entry| _ = entry.insert("MaHoSo".into(), json!("H20"))).unwrap_err();
    assert!(
        matches!(dossier.fault, Fault::Dossier(_)) && dossier.vietnamese().contains("mã hồ sơ không đúng")
    );
    let reading = Reading::default();
    assert!(matches!(read("{", &reading).unwrap_err().fault, Fault::Json(_)));
    assert_eq!(read("[1]", &reading).unwrap_err().english(), "entry 1: the entry is not a JSON object");
}
