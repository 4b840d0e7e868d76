//! The floor under `bench calls`: one tool that says back what it is told, on the MCP library as
//! it comes. What a key operation costs above this is ours.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::serve::ListenerExt as _;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::io::{stdio, stdio_pipes};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt as _};
use serde_json::json;

/// The one tool.
pub(super) const TOOL: &str = "echo";

struct Echo;

/// Over which of the library's transports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// `stdio()`, which hands each read and write to a thread pool.
    Stdio,
    /// `stdio_pipes()`, which does not.
    Pipes,
    /// Streamable HTTP on a free port of the loopback.
    Http,
}

impl Transport {
    pub(super) fn of(pipes: bool, http: bool) -> Self {
        match (pipes, http) {
            (_, true) => Self::Http,
            (true, false) => Self::Pipes,
            (false, false) => Self::Stdio,
        }
    }
}

/// Serves until its input ends, or for ever over HTTP.
pub(super) fn run(over: Transport) -> anyhow::Result<()> {
    match over {
        Transport::Stdio | Transport::Pipes => on_pipes(over == Transport::Pipes),
        Transport::Http => on_http(),
    }
}

/// The library's service on the runtime and the web server that `serve` uses, and nothing around it.
fn on_http() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout().lock(), "listening on http://{}", listener.local_addr()?)?;
        let listener = listener.tap_io(|socket| {
            // With Nagle's algorithm each answer would wait for the client's acknowledgement.
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "cannot switch Nagle's algorithm off");
            }
        });
        let (sessions, config) = (LocalSessionManager::default(), StreamableHttpServerConfig::default());
        let service = StreamableHttpService::new(|| Ok(Echo), Arc::new(sessions), config);
        axum::serve(listener, Router::new().route_service("/mcp", service)).await?;
        Ok(())
    })
}

/// On a runtime of one thread.
fn on_pipes(pipes: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let service = if pipes { Echo.serve(stdio_pipes()).await } else { Echo.serve(stdio()).await };
        service.context("the echo server did not start")?.waiting().await?;
        Ok(())
    })
}

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("mindcache-bench-echo", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(vec![tool()]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let text = arguments
            .get("text")
            .and_then(|text| text.as_str())
            .ok_or_else(|| ErrorData::invalid_params("echo needs `text`, a string", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

fn tool() -> Tool {
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("properties".to_owned(), json!({"text": {"type": "string"}}));
    schema.insert("required".to_owned(), json!(["text"]));
    Tool::new(TOOL, "Says `text` back.", schema)
}
