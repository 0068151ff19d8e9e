//! The calls that only pass through: filters, the sync round, specific rows, digests, packages and
//! online requests.

use super::SyncService;
use crate::wire::{
    DataRequest, DigestRequest, DigestRowsRequest, ExecuteRequest, FiltersRequest, PAGE_ROWS_MAX,
    PostAnswer, PostRequest, PrepareAnswer, PrepareRequest, RowDigest, SPECIFIC_MAX,
    SpecificAnswer, SpecificRequest, SyncPage, TableDigest,
};
use offstage_model::{Fault, Response, Uuid, code};
use offstage_pipeline::{CallOptions, Caller};
use offstage_store::OnlineReceipt;

/// Stands for the hash in the receipt of an operation that must never run; no request has it.
const NEVER: &str = "never";

impl SyncService {
    /// Sets what a device takes offline.
    ///
    /// # Errors
    /// A filter that the metadata does not allow.
    pub fn set_filters(&self, caller: &Caller, request: &FiltersRequest) -> Result<(), Fault> {
        let mut tx = self.pipeline.store().write()?;
        self.device(&mut tx, caller, request.device)?;
        offstage_subscription::set_filters(&mut tx, request.device, &request.filters)?;
        Ok(tx.commit()?)
    }

    /// Finds out what a device lacks.
    ///
    /// # Errors
    /// [`code::GO_OFFLINE_DENIED`], [`code::DEVICE_FORKED`].
    pub fn prepare(
        &self,
        caller: &Caller,
        request: &PrepareRequest,
    ) -> Result<PrepareAnswer, Fault> {
        require_go_offline(caller)?;
        let mut tx = self.pipeline.store().write()?;
        self.device(&mut tx, caller, request.device)?;
        let counts = offstage_subscription::prepare_sync(&mut tx, request.device, &request.token)?;
        tx.commit()?;
        Ok(PrepareAnswer { counts })
    }

    /// A page of what was prepared.
    ///
    /// # Errors
    /// [`code::GO_OFFLINE_DENIED`], [`code::DEVICE_FORKED`].
    pub fn data(&self, caller: &Caller, request: &DataRequest) -> Result<SyncPage, Fault> {
        require_go_offline(caller)?;
        let mut tx = self.pipeline.store().read()?;
        self.device(&mut tx, caller, request.device)?;
        let limit = request.limit.clamp(1, PAGE_ROWS_MAX);
        let (device, token) = (request.device, &request.token);
        Ok(offstage_subscription::get_sync_data(&mut tx, device, token, request.after, limit)?)
    }

    /// Acknowledges what a device applied.
    ///
    /// # Errors
    /// [`code::DEVICE_FORKED`].
    pub fn post(&self, caller: &Caller, request: &PostRequest) -> Result<PostAnswer, Fault> {
        let mut tx = self.pipeline.store().write()?;
        self.device(&mut tx, caller, request.device)?;
        let chance = (self.pipeline.random().guid(), self.now());
        let (device, token) = (request.device, &request.token);
        let token =
            offstage_subscription::post_sync(&mut tx, device, token, request.through, chance)?;
        tx.commit()?;
        Ok(PostAnswer { token })
    }

    /// Named rows as the subscription shows them now.
    ///
    /// # Errors
    /// Too many rows.
    pub fn specific(
        &self,
        caller: &Caller,
        request: &SpecificRequest,
    ) -> Result<SpecificAnswer, Fault> {
        if request.rows.len() > SPECIFIC_MAX {
            let text = format!("At most {SPECIFIC_MAX} rows can be asked for at once.");
            return Err(Fault::new(code::PAYLOAD_TOO_LARGE, text));
        }
        let mut tx = self.pipeline.store().read()?;
        self.device(&mut tx, caller, request.device)?;
        let found = offstage_subscription::get_specific(&mut tx, request.device, &request.rows)?;
        Ok(SpecificAnswer { rows: found.rows, absent: found.absent })
    }

    /// Digests of the tables that the device takes.
    ///
    /// # Errors
    /// The device is not known.
    pub fn digest(
        &self,
        caller: &Caller,
        request: &DigestRequest,
    ) -> Result<Vec<TableDigest>, Fault> {
        let mut tx = self.pipeline.store().read()?;
        self.device(&mut tx, caller, request.device)?;
        Ok(offstage_subscription::digest(&mut tx, request.device)?)
    }

    /// Digests of the rows of one table that the device takes.
    ///
    /// # Errors
    /// The device is not known.
    pub fn digest_rows(
        &self,
        caller: &Caller,
        request: &DigestRowsRequest,
    ) -> Result<Vec<RowDigest>, Fault> {
        let mut tx = self.pipeline.store().read()?;
        self.device(&mut tx, caller, request.device)?;
        Ok(offstage_subscription::digest_rows(&mut tx, request.device, &request.table)?)
    }

    /// The bytes of a package that has steps for devices.
    ///
    /// # Errors
    /// No such package runs on devices.
    pub fn package(&self, _caller: &Caller, sha256: &str) -> Result<Vec<u8>, Fault> {
        let (packages, _) = self.for_devices()?;
        let missing = || {
            Fault::new(
                code::NOT_FOUND,
                format!("No package with the hash {sha256} is for devices."),
            )
            .hint("It may have been upgraded meanwhile; run the command again.")
        };
        let package = packages.iter().find(|p| p.sha256 == sha256).ok_or_else(missing)?;
        let mut tx = self.pipeline.store().read()?;
        tx.package_bytes(&package.id)?.ok_or_else(missing)
    }

    /// Runs one online request, once: a repeat with the same operation id gets the first answer.
    ///
    /// # Errors
    /// Whatever refuses the request; [`code::NOT_FOUND`] when only a stored answer was asked for and
    /// there is none.
    pub fn execute(&self, caller: &Caller, request: &ExecuteRequest) -> Result<Response, Fault> {
        if request.lookup {
            let stored = self.answer_or_never(request.operation)?;
            return serde_json::from_slice(&stored.response).map_err(|error| {
                tracing::error!(operation = %request.operation, %error, "a stored answer is damaged");
                Fault::new(code::STORE_UNUSABLE, "A stored answer is damaged.")
            });
        }
        let options = CallOptions {
            operation: Some(request.operation),
            tag: request.tag.clone(),
            receipt: !request.request.is_read(),
            ..CallOptions::default()
        };
        self.pipeline.execute(caller, request.request.clone(), options)
    }

    /// The receipt of an operation. One that has none is refused from then on: the device takes it
    /// for not applied, so a copy of the request that is still under way must not commit later.
    fn answer_or_never(&self, operation: Uuid) -> Result<OnlineReceipt, Fault> {
        let mut tx = self.pipeline.store().write()?;
        let stored = tx.online_receipt(operation)?;
        if stored.is_none() {
            tx.put_online_receipt(operation, NEVER, b"", self.now())?;
            tx.commit()?;
        }
        stored.filter(|receipt| receipt.hash != NEVER).ok_or_else(|| {
            Fault::new(code::NOT_FOUND, format!("The operation {operation} was not applied."))
        })
    }
}

fn require_go_offline(caller: &Caller) -> Result<(), Fault> {
    if caller.go_offline {
        return Ok(());
    }
    Err(Fault::new(
        code::GO_OFFLINE_DENIED,
        format!("{} has no right to take data offline (prvGoOffline).", caller.name),
    )
    .hint("An administrator grants it; entries made offline can still be played back."))
}
