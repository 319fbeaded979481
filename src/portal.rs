//! The JSON of the National Public Service Portal: dossiers (`DongBoHoSoMC`) and progress steps (`CapNhatTienDoHoSoMC`) as steps of the
//! contract, and back. What the portal's shape has beside them - applicants, papers, fees - is not carried: it is not needed to follow a dossier.

mod error;
mod moment;

use std::collections::HashMap;

use serde_json::{Map, Value, json};

pub use error::{Fault, PortalError};

use crate::domain::dossier::{DossierCode, DossierStatus};
use crate::proto::v1;

/// What a file of the portal's shape leaves open.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The procedure of steps that name none (`MaTTHC`).
    pub procedure: Option<String>,
    /// The number of the first step of each dossier whose steps have none (`SoBuoc`, which the portal does not know).
    pub first_step: u32,
    /// The set of codes the statuses are from; without one they are the portal's own, 1 to 10.
    pub code_set: Option<String>,
}

/// Reads steps: objects one after another, or lists of them. Steps without a number are numbered in the order in which they stand.
pub fn read(text: &str, reading: &Reading) -> Result<Vec<v1::DossierStep>, PortalError> {
    let mut reader = Reader::new(reading.clone());
    let mut steps = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let entries = match value.map_err(|error| fault_of_file(Fault::Json(error.to_string())))? {
            Value::Array(entries) => entries,
            one => vec![one],
        };
        for entry in &entries {
            steps.push(reader.step(entry)?);
        }
    }
    match steps.is_empty() && text.trim().is_empty() {
        true => Err(fault_of_file(Fault::Json("there is nothing in it".to_owned()))),
        false => Ok(steps),
    }
}

fn fault_of_file(fault: Fault) -> PortalError {
    PortalError { place: 0, field: String::new(), fault }
}

/// Reads entries one after another.
#[derive(Clone, Debug)]
pub struct Reader {
    reading: Reading,
    place: usize,
    next: HashMap<String, u32>,
}

impl Reader {
    /// Of a file that leaves this open.
    pub fn new(reading: Reading) -> Self {
        Self { reading, place: 0, next: HashMap::new() }
    }

    /// The step of the next entry.
    pub fn step(&mut self, entry: &Value) -> Result<v1::DossierStep, PortalError> {
        self.place += 1;
        let place = self.place;
        let Value::Object(fields) = entry else {
            return Err(PortalError { place, field: String::new(), fault: Fault::NoObject });
        };
        let mut step = Entry { place, fields }.step(&self.reading)?;
        let code = DossierCode::parse(&step.dossier_code).map_err(|why| PortalError {
            place,
            field: "MaHoSo".to_owned(),
            fault: Fault::Dossier(why.to_string()),
        })?;
        let next = self.next.entry(code.to_string()).or_insert(self.reading.first_step.max(1));
        if step.step == 0 {
            step.step = *next;
        }
        *next = step.step.saturating_add(1);
        Ok(step)
    }
}

/// One entry of a file.
struct Entry<'a> {
    place: usize,
    fields: &'a Map<String, Value>,
}

impl Entry<'_> {
    fn step(&self, reading: &Reading) -> Result<v1::DossierStep, PortalError> {
        let procedure = match (self.text("MaTTHC")?, &reading.procedure) {
            (Some(given), _) => given,
            (None, Some(procedure)) => procedure.clone(),
            (None, None) => return Err(self.fault("MaTTHC", Fault::Missing)),
        };
        let (status, own_status) = self.status(reading)?;
        let occurred = self.first(&["ThoiDiemXuLy", "NgayTiepNhan"]);
        let actor = v1::DossierActor {
            name: self.text("NguoiXuLy")?.unwrap_or_default(),
            position: self.text("ChucDanh")?.unwrap_or_default(),
            department: self.text(self.first(&["PhongBanXuLy", "DonViXuLy"]))?.unwrap_or_default(),
        };
        Ok(v1::DossierStep {
            dossier_code: self.required("MaHoSo")?,
            step: self.number("SoBuoc")?.unwrap_or(0),
            procedure_code: procedure,
            status,
            own_status,
            actor: (actor != v1::DossierActor::default()).then_some(actor),
            occurred_time: Some(self.time(occurred)?.ok_or_else(|| self.fault(occurred, Fault::Missing))?),
            due_time: self.time(self.first(&["NgayKetThucTheoQuyDinh", "NgayHenTra"]))?,
            start_time: self.time("NgayBatDau")?,
            note: self.text(self.first(&["NoiDungXuLy", "GhiChu"]))?.unwrap_or_default(),
            documents: Vec::new(),
        })
    }

    fn status(&self, reading: &Reading) -> Result<(i32, Option<v1::OwnStatusCode>), PortalError> {
        let field = self.first(&["TrangThai", "TrangThaiHoSo"]);
        let code = self.required(field)?;
        if let Some(code_set) = reading.code_set.clone() {
            return Ok((0, Some(v1::OwnStatusCode { code_set, code })));
        }
        let known = code.parse().ok().and_then(DossierStatus::from_number);
        let status = known.ok_or_else(|| self.fault(field, Fault::Status(code)))?;
        Ok((status.number().into(), None))
    }

    /// The first of these fields that is there; the first of all where none is.
    fn first(&self, fields: &[&'static str]) -> &'static str {
        let there = fields.iter().find(|field| self.fields.contains_key(**field));
        there.or(fields.first()).copied().unwrap_or_default()
    }

    fn required(&self, field: &str) -> Result<String, PortalError> {
        self.text(field)?.ok_or_else(|| self.fault(field, Fault::Missing))
    }

    /// A text; a number counts as one, since systems write codes either way.
    fn text(&self, field: &str) -> Result<Option<String>, PortalError> {
        match self.fields.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(self.fault(field, Fault::NoText)),
        }
    }

    fn number(&self, field: &str) -> Result<Option<u32>, PortalError> {
        let number = |text: String| text.parse().map_err(|_| self.fault(field, Fault::NoNumber(text)));
        self.text(field)?.map(number).transpose()
    }

    fn time(&self, field: &str) -> Result<Option<prost_types::Timestamp>, PortalError> {
        let time = |text: String| moment::read(&text).ok_or_else(|| self.fault(field, Fault::Time(text)));
        self.text(field)?.map(time).transpose()
    }

    fn fault(&self, field: &str, fault: Fault) -> PortalError {
        PortalError { place: self.place, field: field.to_owned(), fault }
    }
}

/// A step as the portal takes progress (`CapNhatTienDoHoSoMC`), with its number as `SoBuoc`.
pub fn progress(event: &v1::DossierEvent) -> Value {
    let step = event.step.clone().unwrap_or_default();
    let actor = step.actor.clone().unwrap_or_default();
    json!({
        "MaHoSo": step.dossier_code,
        "SoBuoc": step.step,
        "MaTTHC": step.procedure_code,
        "NguoiXuLy": actor.name,
        "ChucDanh": actor.position,
        "ThoiDiemXuLy": moment::write(step.occurred_time.as_ref()),
        "PhongBanXuLy": actor.department,
        "NoiDungXuLy": step.note,
        "TrangThai": code(&step),
        "NgayBatDau": moment::write(step.start_time.as_ref()),
        "NgayKetThucTheoQuyDinh": moment::write(step.due_time.as_ref()),
    })
}

/// A dossier as the portal takes it (`DongBoHoSoMC`), as far as its steps tell.
pub fn dossier(dossier: &v1::Dossier, events: &[v1::DossierEvent]) -> Value {
    let steps: Vec<_> = events.iter().filter_map(|event| event.step.as_ref()).collect();
    let time_of = |status: v1::DossierStatus| {
        let step = steps.iter().rev().find(|step| step.status() == status);
        moment::write(step.and_then(|step| step.occurred_time.as_ref()))
    };
    let last = steps.last();
    let actor = last.and_then(|step| step.actor.clone()).unwrap_or_default();
    json!({
        "MaHoSo": last.map_or(&dossier.dossier_code, |step| &step.dossier_code),
        "MaTTHC": dossier.procedure_code,
        "NgayTiepNhan": time_of(v1::DossierStatus::Accepted),
        "NgayHenTra": moment::write(dossier.due_time.as_ref()),
        "TrangThaiHoSo": last.map_or_else(String::new, |step| code(step)),
        "NgayTra": time_of(v1::DossierStatus::Returned),
        "NgayKetThucXuLy": time_of(v1::DossierStatus::Processed),
        "DonViXuLy": actor.department,
        "GhiChu": last.map_or("", |step| step.note.as_str()),
    })
}

/// The portal's number, or the own code where it is not translated.
fn code(step: &v1::DossierStep) -> String {
    match (step.status, &step.own_status) {
        (0, Some(own)) => own.code.clone(),
        (number, _) => number.to_string(),
    }
}

#[cfg(test)]
mod tests;
