//! What a certificate says about its subject, and the name of its file.

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType,
};

use super::Subject;
use super::error::Error;
use crate::identity::peer::{Role, is_operator_name};

/// Longest organisation name in a certificate, characters (RFC 5280, ub-organization-name).
const ORGANIZATION_CHARS_MAX: usize = 64;
/// Names the CA's own files have.
const TAKEN: [&str; 3] = ["ca", "crl", "revoked"];

impl Subject {
    /// The name of the files, without `.crt`, and everything of the certificate but serial and validity.
    pub(super) fn params(&self) -> Result<(String, CertificateParams), Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let stem = match self {
            Self::Organ(id, name) => {
                let organization: String = name.chars().take(ORGANIZATION_CHARS_MAX).collect();
                if !organization.is_empty() {
                    params.distinguished_name.push(DnType::OrganizationName, organization);
                }
                client(&mut params, &Role::Organ(id.clone()))?;
                id.to_string()
            }
            Self::Operator(name) => {
                if !is_operator_name(name) {
                    let rule = "it is made of 1 to 64 of A-Z a-z 0-9 . _ -";
                    return Err(Error::BadName { name: name.clone(), what: "an operator", rule });
                }
                client(&mut params, &Role::Operator(name.clone()))?;
                name.clone()
            }
            Self::Server { dns, ips } => {
                // A gateway calls the endpoints of push links, too.
                params.extended_key_usages =
                    vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
                for name in dns {
                    params.subject_alt_names.push(SanType::DnsName(dns_name(name)?));
                }
                params.subject_alt_names.extend(ips.iter().copied().map(SanType::IpAddress));
                dns.first()
                    .cloned()
                    .or_else(|| ips.first().map(|ip| ip.to_string().replace(':', "_")))
                    .unwrap_or_default()
            }
        };
        if stem.is_empty() || stem.starts_with('.') || TAKEN.contains(&stem.to_ascii_lowercase().as_str()) {
            let rule = "it names the certificate's file, which can't be empty, hidden or one of the CA's own";
            return Err(Error::BadName { name: stem, what: "a subject", rule });
        }
        params.distinguished_name.push(DnType::CommonName, stem.clone());
        Ok((stem, params))
    }
}

fn client(params: &mut CertificateParams, role: &Role) -> Result<(), Error> {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if let Some(uri) = role.uri() {
        params.subject_alt_names.push(SanType::URI(uri.try_into()?));
    }
    Ok(())
}

fn dns_name(name: &str) -> Result<rcgen::string::Ia5String, Error> {
    let rule = "a DNS name is made of A-Z a-z 0-9 - and dots between";
    match rustls_pki_types::DnsName::try_from(name) {
        Ok(_) => Ok(name.try_into()?),
        Err(_) => Err(Error::BadName { name: name.to_owned(), what: "a server", rule }),
    }
}
