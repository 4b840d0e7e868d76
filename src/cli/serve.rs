//! `mindcache serve`: MCP over HTTP, for the clients of this machine.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    sync::Arc,
};

use clap::Args;
use serde_json::json;

use crate::{
    access::{proofs::Proofs, sign_in::SignIns, ws_tokens::WsTokens},
    config::{Settings, raise_descriptors},
    face::{
        http::{self, Access, Pages, Stop},
        mcp, rest,
        sync::Sockets,
        web,
    },
    kernel::{Caller, Kernel, most_connections},
    model::{
        instance::{InstanceId, InstanceRef},
        permission::{Mode, PrincipalKind},
    },
    ops::{access::keys, operation::Operation as _},
    store::sqlite::{make_folder, new_file},
};

use super::{
    LAST_BATCH,
    issuers::TokenArgs,
    mcp::stop_signal,
    output::{Failure, Output},
    whereabouts::{Whereabouts, link},
};

/// `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "HOST:PORT", env = "MINDCACHE_LISTEN")]
    listen: SocketAddr,
    /// Ask for no token; only on a loopback address, and without --host
    #[arg(long, env = "MINDCACHE_NO_AUTH")]
    no_auth: bool,
    /// Serve many users: everybody proves who they are with a key of theirs, the token of the data folder counts for
    /// nothing, and the first start makes the owner and prints a key
    #[arg(long, env = "MINDCACHE_MULTI_USER", conflicts_with = "no_auth")]
    multi_user: bool,
    /// E-mail address of whoever the server belongs to, for the first start
    #[arg(long, value_name = "EMAIL", env = "MINDCACHE_OWNER", requires = "multi_user")]
    owner: Option<String>,
    /// Name by which clients reach the server, such as that of a proxy before it; several times for several
    #[arg(long = "host", value_name = "NAME", env = "MINDCACHE_HOSTS", value_delimiter = ',')]
    hosts: Vec<String>,
    #[command(flatten)]
    issuers: TokenArgs,
    /// Whoever sends it as X-Admin-Token may read every key at /admin/do/ID
    #[arg(long, hide = true, hide_env_values = true, value_name = "TOKEN", env = "ADMIN_TOKEN")]
    admin_token: Option<String>,
    /// `development` is --no-auth
    #[arg(long, hide = true, env = "ENVIRONMENT")]
    environment: Option<String>,
}

impl ServeArgs {
    /// Whether nobody has to prove who they are.
    fn is_open(&self) -> bool {
        self.no_auth || (self.environment.as_deref() == Some("development") && !self.multi_user)
    }

    /// Refuses what would let everybody in who was not meant, and what excludes each other: the command line says some of
    /// it itself, what the file of settings says comes only here.
    fn check(&self) -> Result<(), Failure> {
        let refused = |text: &str| Err(Failure::Usage(text.to_owned()));
        if self.no_auth && self.multi_user {
            return refused("--no-auth and --multi-user exclude each other");
        }
        if !self.is_open() {
            return Ok(());
        }
        if !self.listen.ip().is_loopback() {
            return refused(
                "--no-auth and ENVIRONMENT=development are for loopback addresses only: anyone who reaches this \
                 address could read and write",
            );
        }
        if !self.hosts.is_empty() {
            return refused(
                "--no-auth and ENVIRONMENT=development go without --host: whoever comes by that name, through a \
                 proxy, could read and write",
            );
        }
        if self.issuers.names_any() {
            return refused(
                "--issuer goes with neither --no-auth nor ENVIRONMENT=development: nobody would be asked for a token",
            );
        }
        Ok(())
    }
}

/// Serves until a signal.
pub(super) fn run(args: ServeArgs, settings: &Settings, kernel: Arc<Kernel>, output: &Output) -> Result<(), Failure> {
    args.check()?;
    let tokens = args.issuers.tokens()?;
    let data_dir = settings.data_dir()?;
    let token = if args.is_open() || args.multi_user { None } else { Some(token(&data_dir)?) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(args.listen).await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {}: {error}; choose another address with --listen", args.listen)
        })?;
        let address = listener.local_addr()?;
        // Before anybody is told of the server: whoever is may stop it at once.
        let signal = stop_signal()?;
        // Whoever comes before the first request is served waits in the listener's queue.
        let told = Whereabouts::tell(&data_dir, address);
        output.line(&format!("mindcache {} listening on http://{address}", env!("CARGO_PKG_VERSION")))?;
        // Each port has its cookie, or two servers of this machine would sign each other out.
        let sign_ins = token.is_some().then(|| Arc::new(SignIns::new(Arc::clone(&kernel))));
        let pages = sign_ins.map(|sign_ins| Pages { sign_ins, cookie: format!("mc_{}", address.port()) });
        // Whoever read the first line may have closed the pipe: that is no reason not to serve.
        let shown = match (&token, args.multi_user) {
            (Some(token), _) => Some(token.clone()),
            (None, true) => Some(make_owner(&kernel, args.owner.as_deref(), output).await?),
            (None, false) => None,
        };
        let link = link(address, pages.as_ref().map(|pages| pages.sign_ins.issue_code()).as_deref());
        if introduce(output, address, &link, &data_dir, shown.as_deref()).is_err() {
            tracing::debug!("nobody reads what the server says of itself");
        }
        kernel.keep_well();
        let stop = Stop::default();
        let environment = match args.environment.as_deref() {
            _ if args.multi_user => "server",
            Some("development") => "development",
            _ => "local",
        };
        let mut hosts = hosts(address);
        hosts.extend(args.hosts.iter().cloned());
        let proofs = (!args.is_open()).then(|| Proofs::new(Arc::clone(&kernel), tokens));
        let access = Access { token, proofs, hosts, pages: pages.clone(), environment };
        let tokens = Arc::new(WsTokens::new(Arc::clone(&kernel)));
        let sockets = Sockets::new(Arc::clone(&kernel), access.clone(), Arc::clone(&tokens), &stop);
        let routes = mcp::http::router(Arc::clone(&kernel), &stop)
            .merge(rest::router(Arc::clone(&kernel), pages.clone(), &stop, tokens))
            .merge(web::routes(pages.clone()));
        let open = web::open_routes(pages).merge(rest::open()).merge(rest::admin(kernel, args.admin_token));
        let open = open.merge(sockets.routes());
        let routes = http::guarded(routes, open, access);
        let served = http::serve(listener, most_connections(raise_descriptors()), routes, stop, signal).await;
        told.forget();
        sockets.left().await;
        Ok(served?)
    });
    runtime.shutdown_timeout(LAST_BATCH);
    ended
}

fn hosts(address: SocketAddr) -> Vec<String> {
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let own = address.ip().to_string();
    if !hosts.contains(&own) {
        hosts.push(own);
    }
    hosts
}

/// What to paste into a client.
fn introduce(
    output: &Output,
    address: SocketAddr,
    link: &str,
    data_dir: &Path,
    token: Option<&str>,
) -> Result<(), Failure> {
    output.line(&format!("page: {link}"))?;
    output.line(&format!("data folder: {}", data_dir.display()))?;
    let mut entry = json!({"type": "http", "url": format!("http://{address}/mcp")});
    if let (Some(token), Some(object)) = (token, entry.as_object_mut()) {
        object.insert("headers".into(), json!({"Authorization": format!("Bearer {token}")}));
    } else {
        let warning = "WARNING: no token is asked for; every program on this machine can read and write";
        tracing::warn!("{warning}");
        output.line(warning)?;
    }
    output.line("client config:")?;
    output.line(&format!("{:#}", json!({"mcpServers": {"mindcache": entry}})))
}

/// Makes the owner of the server at its first start, with a key that is printed this once. Answers what goes into a
/// client's configuration.
async fn make_owner(kernel: &Kernel, email: Option<&str>, output: &Output) -> Result<String, Failure> {
    let caller = Caller::local(PrincipalKind::Human, Mode::Edit, "serve", String::new());
    let Some(owner) = kernel.found_server(&caller, email).await? else { return Ok("YOUR_API_KEY".into()) };
    let args = json!({"name": "the first key", "permissions": ["read", "write", "admin", "spend"]});
    let catalog = InstanceRef::Id(InstanceId::catalog());
    let made = kernel.execute(&caller, &catalog, keys::Create::NAME, args).await?;
    let key = made.result.get("secret").and_then(|secret| secret.as_str()).unwrap_or_default().to_owned();
    let told = output
        .line(&format!("owner: {owner}"))
        .and_then(|()| output.line(&format!("admin key, shown this once: {key}")))
        .and_then(|()| output.line("another one comes from `mindcache key create NAME --permission admin`"));
    if told.is_err() {
        tracing::warn!("nobody read the admin key; `mindcache key create NAME --permission admin` makes another");
    }
    Ok(key)
}

/// The token of this data folder, if it has been made.
pub(super) fn known_token(data_dir: &Path) -> Result<Option<String>, Failure> {
    let path = data_dir.join("token");
    match fs::read_to_string(&path) {
        Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::anyhow!("cannot use {}: {error}", path.display()).into()),
    }
}

/// The token of this data folder, made when it is first needed; only this user can read it.
pub(super) fn token(data_dir: &Path) -> Result<String, Failure> {
    if let Some(token) = known_token(data_dir)? {
        return Ok(token);
    }
    let path = data_dir.join("token");
    let told = |error: io::Error| anyhow::anyhow!("cannot use {}: {error}", path.display());
    // Two random UUIDs: 244 bits from the system's generator.
    let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    make_folder(data_dir).map_err(told)?;
    // Written beside and linked: no reader sees half a token, and of two first starts the first wins for both.
    let beside = data_dir.join(format!(".token-{}", uuid::Uuid::new_v4()));
    let written = new_file(&beside).and_then(|mut file| {
        writeln!(file, "{token}")?;
        file.sync_all()?;
        fs::hard_link(&beside, &path)
    });
    if let Err(error) = fs::remove_file(&beside) {
        tracing::debug!(%error, "cannot remove {}", beside.display());
    }
    if let Err(error) = written
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(told(error).into());
    }
    Ok(fs::read_to_string(&path).map_err(told)?.trim().to_owned())
}
