//! Contacts: the paper's table, and the company name, which a setting sends one way.

use super::{FieldMapping, Form, Group};
use crate::property::Property as P;

/// The paper's table, in its order, then the company name.
pub(super) const FIELDS: &[FieldMapping] = &[
    FieldMapping::of(
        P::Anniversary,
        ("Anniversary", "Anniversary"),
        &["anniversary"],
        (Form::Date, 0),
    ),
    FieldMapping::of(
        P::AssistantName,
        ("Assistant Name", "Assistantname"),
        &["assistantname"],
        (Form::Text, 100),
    ),
    FieldMapping::of(
        P::AssistantTelephone,
        ("Assistant Telephone Number", "Assistantphone"),
        &["assistantphone"],
        (Form::Text, 50),
    ),
    FieldMapping::of(P::Birthday, ("Birthday", "Birthdate"), &["birthdate"], (Form::Date, 0)),
    FieldMapping::of(P::Body, ("Body", "Description"), &["description"], (Form::Text, 2000)),
    FieldMapping::of(P::BusinessFax, ("Business Fax Number", "Fax"), &["fax"], (Form::Text, 50)),
    FieldMapping::of(
        P::BusinessTelephone,
        ("Business Telephone Number", "telephone1"),
        &["telephone1"],
        (Form::Text, 50),
    ),
    FieldMapping::of(
        P::Children,
        ("Children", "childrensnames"),
        &["childrensnames"],
        (Form::TextList, 255),
    ),
    FieldMapping::of(
        P::Department,
        ("Department", "department"),
        &["department"],
        (Form::Text, 100),
    ),
    FieldMapping::of(
        P::Email1,
        ("E-mail1Address", "e-mailaddress1"),
        &["emailaddress1"],
        (Form::Text, 100),
    ),
    FieldMapping::of(
        P::Email2,
        ("E-mail2Address", "e-mailaddress2"),
        &["emailaddress2"],
        (Form::Text, 100),
    ),
    FieldMapping::of(
        P::Email3,
        ("E-mail3Address", "e-mailaddresss3"),
        &["emailaddress3"],
        (Form::Text, 100),
    ),
    FieldMapping::of(P::FirstName, ("First Name", "firstname"), &["firstname"], (Form::Text, 50)),
    FieldMapping::of(P::FtpSite, ("FTP Site", "ftpsiteurl"), &["ftpsiteurl"], (Form::Text, 200)),
    FieldMapping::of(
        P::GovernmentId,
        ("Government ID Number", "governmentid"),
        &["governmentid"],
        (Form::Text, 50),
    ),
    FieldMapping::of(
        P::HomeTelephone,
        ("Home Telephone Number", "telephone2"),
        &["telephone2"],
        (Form::Text, 50),
    ),
    FieldMapping::of(P::JobTitle, ("Job Title", "jobtitle"), &["jobtitle"], (Form::Text, 100)),
    FieldMapping::of(P::LastName, ("Last Name", "lastname"), &["lastname"], (Form::Text, 50)),
    FieldMapping::of(
        P::MailingCity,
        ("Mailing Address City", "address1_city"),
        &["address1_city"],
        (Form::Text, 80),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::MailingCountry,
        ("Mailing Address Country", "addresss1_country"),
        &["address1_country"],
        (Form::Text, 80),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::MailingPostOfficeBox,
        ("Mailing Address Post Office Box", "addresss1_postofficebox"),
        &["address1_postofficebox"],
        (Form::Text, 20),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::MailingPostalCode,
        ("Mailing Address Postal Code", "address1_postalcode"),
        &["address1_postalcode"],
        (Form::Text, 20),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::MailingState,
        ("Mailing Address State", "addresss1_stateorprovince"),
        &["address1_stateorprovince"],
        (Form::Text, 50),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::MailingStreet,
        ("Mailing Address Street", "address1_line1; address1_line2; address1_line3"),
        &["address1_line1", "address1_line2", "address1_line3"],
        (Form::Lines, 250),
    )
    .within(Group::MailingAddress),
    FieldMapping::of(
        P::ManagerName,
        ("Manager Name", "managername"),
        &["managername"],
        (Form::Text, 100),
    ),
    FieldMapping::of(
        P::MiddleName,
        ("Middle Name", "middlename"),
        &["middlename"],
        (Form::Text, 50),
    ),
    FieldMapping::of(
        P::MobileTelephone,
        ("Mobile Telephone Number", "mobilephone"),
        &["mobilephone"],
        (Form::Text, 50),
    ),
    FieldMapping::of(P::Nickname, ("Nickname", "nickname"), &["nickname"], (Form::Text, 100)),
    FieldMapping::of(
        P::OtherTelephone,
        ("Other Telephone Number", "telephone3"),
        &["telephone3"],
        (Form::Text, 50),
    ),
    FieldMapping::of(P::Pager, ("Pager Number", "pager"), &["pager"], (Form::Text, 50)),
    FieldMapping::of(P::Spouse, ("Spouse", "spousesname"), &["spousesname"], (Form::Text, 100)),
    FieldMapping::of(P::Title, ("Title", "salutation"), &["salutation"], (Form::Text, 100)),
    FieldMapping::of(P::WebPage, ("Web Page", "websiteurl"), &["websiteurl"], (Form::Text, 200)),
    FieldMapping::of(
        P::YomiFirstName,
        ("Yomi First Name", "yomifirstname"),
        &["yomifirstname"],
        (Form::Text, 150),
    ),
    FieldMapping::of(
        P::YomiLastName,
        ("Yomi Last Name", "yomilastname"),
        &["yomilastname"],
        (Form::Text, 150),
    ),
    // "Update the Company Field for Outlook Contacts" (Appendix C): never written back.
    FieldMapping::of(P::Company, ("", ""), &["parentcustomerid"], (Form::ParentName, 0))
        .to_outlook(),
];
