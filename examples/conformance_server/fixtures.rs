//! The handler: which method is answered where, and who is told that a list has changed.

use std::sync::{Arc, Mutex, PoisonError};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
        GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
        ListToolsResult, LoggingLevel, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
        ServerCapabilities, ServerConfig, SetLevelRequestMethod, SetLevelRequestParams, SubscribeRequestParams,
        SubscriptionFilter, Tool, UnsubscribeRequestParams,
    },
    service::{RequestContext, SubscriptionContext},
};
use tokio::sync::watch;

use crate::{prompts, resources, rounds::States, tools};

/// What all sessions and requests share.
pub(crate) struct Shared {
    /// Told to who listens that the tools have changed.
    pub(crate) tools: watch::Sender<()>,
    /// The same of the prompts.
    pub(crate) prompts: watch::Sender<()>,
    /// The questions that clients have not answered yet.
    pub(crate) states: States,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { tools: watch::Sender::new(()), prompts: watch::Sender::new(()), states: States::default() })
    }
}

/// The handler of one session of the older protocol, or of one request of the newer.
pub(crate) struct Fixtures {
    pub(crate) shared: Arc<Shared>,
    // Made with the handler, before the client is told that it is listened to: no change falls in between.
    tools: watch::Receiver<()>,
    prompts: watch::Receiver<()>,
    level: Mutex<LoggingLevel>,
}

impl Fixtures {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            tools: shared.tools.subscribe(),
            prompts: shared.prompts.subscribe(),
            level: Mutex::new(LoggingLevel::Info),
        }
    }

    /// From which level on the client wants to be told by logging. A session says it once, and has a default; the
    /// newer protocol says it with each request, and not saying it means that nothing may be sent.
    pub(crate) fn logs_from(&self, context: &RequestContext<RoleServer>) -> Option<LoggingLevel> {
        if is_stateless(context) {
            return context.meta.log_level();
        }
        Some(*self.level.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a request is one of the newer protocol.
fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| !version.has_initialize())
}

impl ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let implementation = Implementation::new("mindcache-conformance", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(implementation)
    }

    async fn set_level(
        &self,
        request: SetLevelRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // rmcp itself does not know that the newer protocol has removed this.
        if is_stateless(&context) {
            return Err(ErrorData::method_not_found::<SetLevelRequestMethod>());
        }
        *self.level.lock().unwrap_or_else(PoisonError::into_inner) = request.level;
        Ok(())
    }

    async fn subscribe(&self, request: SubscribeRequestParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        // No resource of these ever changes: there is nothing to remember.
        resources::check(&request.uri)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        resources::check(&request.uri)
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    /// Only the newer protocol is told of changes: no scenario of the older one looks for it.
    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let (mut tools, mut prompts) = (self.tools.clone(), self.prompts.clone());
        let wants_tools = context.accepted().tools_list_changed == Some(true);
        let wants_prompts = context.accepted().prompts_list_changed == Some(true);
        loop {
            let sent = tokio::select! {
                Ok(()) = tools.changed(), if wants_tools => context.sink().notify_tool_list_changed().await,
                Ok(()) = prompts.changed(), if wants_prompts => context.sink().notify_prompt_list_changed().await,
                () = context.cancelled() => return Ok(()),
            };
            // Nobody is there any more.
            if sent.is_err() {
                return Ok(());
            }
        }
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    /// What rmcp checks the headers against that repeat an argument.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        tools::call(self, request, &context).await
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::all()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        prompts::get(self, request, &context)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        prompts::complete(&request)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(resources::all()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![resources::template()]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(request.uri)
    }
}
