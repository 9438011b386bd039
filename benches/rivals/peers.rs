//! Those that are compared: our own server, nginx, an rsync daemon; and what is missing.
//!
//! Each is one process on ports of its own, over one source folder, ended when it is
//! dropped. Nothing is installed and nothing outside the scratch folder is touched.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The product.
pub const OURS: &str = env!("CARGO_BIN_EXE_ferrydeck");

/// Whether a program is there; says so once if not.
pub fn has(tool: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file()))
        || Path::new("/usr/sbin").join(tool).is_file();
    if !found {
        println!("  missing: {tool}; what needs it is skipped");
    }
    found
}

/// What `ferrydeck VERB --help` says.
pub fn help(verb: &str) -> String {
    let out = Command::new(OURS).args([verb, "--help"]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A server of any kind.
pub struct Server {
    child: Child,
    /// What lets a client in, once it has been told.
    code: Arc<OnceLock<String>>,
    ends_by: &'static str,
    /// Its ports, in the order they were asked for.
    pub ports: Vec<u16>,
}

impl Server {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where its first port is.
    pub fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[0]).into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args([self.ends_by, &pid]).status();
        let _ = self.child.wait();
    }
}

/// Our server on loopback ports, one a listener, in the order of `dialects`.
pub fn ferrydeck(served: &Path, scratch: &Path, dialects: &[&str]) -> Server {
    let ports: Vec<u16> = dialects.iter().map(|_| free_port()).collect();
    let mut command = Command::new(OURS);
    command.arg("serve").arg(served).arg("--headless");
    for (dialect, port) in dialects.iter().zip(&ports) {
        command.args(["--listen", &format!("{dialect}@127.0.0.1:{port}")]);
    }
    let mut child = command
        .env("FERRYDECK_STATE_DIR", scratch.join("server-state"))
        .stdin(Stdio::null())
        // Its event lines are written, and read by nobody; nginx has its log switched off.
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let code = Arc::new(OnceLock::new());
    let told = Arc::clone(&code);
    let err = child.stderr.take().unwrap();
    thread::spawn(move || {
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            match line.rsplit_once(" code ") {
                Some((_, code)) => drop(told.set(code.trim().to_owned())),
                None => println!("  our server says: {line}"),
            }
        }
    });
    await_ports(&ports);
    Server {
        child,
        code,
        ends_by: "-TERM",
        ports,
    }
}

/// First contact with a listener for deck inside TLS: the code is proved, the keys are
/// pinned, and from then on nothing is asked.
pub fn pair(server: &Server, scratch: &Path, url: &str, target: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while server.code.get().is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    let target = target.display().to_string();
    let mut first = get(scratch, &[url, "-o", &target]);
    if let Some(code) = server.code.get() {
        first.env("FERRYDECK_CODE", code);
    }
    first.status().is_ok_and(|paired| paired.success())
}

/// `ferrydeck get`, with a state folder of its own.
pub fn get(scratch: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(OURS);
    command.arg("get").args(args).stdout(Stdio::null());
    as_client(&mut command, scratch);
    command
}

/// A state folder of the bench's own: nothing of the user's is touched.
pub fn as_client(command: &mut Command, scratch: &Path) {
    command
        .env("FERRYDECK_STATE_DIR", scratch.join("client-state"))
        .env_remove("FERRYDECK_CODE");
}

/// nginx over a folder: in the open on the first port, TLS 1.3 on the second.
pub fn nginx(served: &Path, scratch: &Path) -> Option<Server> {
    if !has("nginx") || !has("curl") || !has("openssl") {
        return None;
    }
    let dir = scratch.join("nginx");
    fs::create_dir_all(&dir).unwrap();
    let (key, cert) = (dir.join("key.pem"), dir.join("cert.pem"));
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(' '))
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|made| made.success()) {
        println!("  openssl made no certificate: nginx is skipped");
        return None;
    }
    let ports = vec![free_port(), free_port()];
    let conf = format!(
        "daemon off; master_process off; pid {0}/pid; error_log {0}/error.log; {user}\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         keepalive_timeout 600s; client_body_temp_path {0}/a; proxy_temp_path {0}/b;\n\
         fastcgi_temp_path {0}/c; uwsgi_temp_path {0}/d; scgi_temp_path {0}/e;\n\
         ssl_protocols TLSv1.3; ssl_certificate {cert}; ssl_certificate_key {key};\n\
         server {{ listen 127.0.0.1:{1}; listen 127.0.0.1:{2} ssl; root {served}; }} }}\n",
        dir.display(),
        ports[0],
        ports[1],
        cert = cert.display(),
        key = key.display(),
        served = served.display(),
        user = if is_root() { "user root;" } else { "" },
    );
    fs::write(dir.join("conf"), conf).unwrap();
    let program = if Path::new("/usr/sbin/nginx").is_file() {
        "/usr/sbin/nginx"
    } else {
        "nginx"
    };
    let child = Command::new(program)
        .arg("-c")
        .arg(dir.join("conf"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    await_ports(&ports);
    Some(Server {
        child,
        code: Arc::default(),
        ends_by: "-QUIT",
        ports,
    })
}

/// An rsync daemon over a folder; its module is called `m`.
pub fn rsync(served: &Path, scratch: &Path) -> Option<Server> {
    if !has("rsync") {
        return None;
    }
    let ports = vec![free_port()];
    let conf = scratch.join("rsyncd.conf");
    let user = if is_root() {
        "uid = root\ngid = root\n"
    } else {
        ""
    };
    let text = format!(
        "use chroot = no\n{user}[m]\npath = {}\nread only = yes\n",
        served.display()
    );
    fs::write(&conf, text).unwrap();
    let child = Command::new("rsync")
        .args(["--daemon", "--no-detach", "--address=127.0.0.1", "--config"])
        .arg(&conf)
        .arg(format!("--port={}", ports[0]))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    await_ports(&ports);
    Some(Server {
        child,
        code: Arc::default(),
        ends_by: "-TERM",
        ports,
    })
}

/// `curl`, quiet, certificates unverified.
pub fn curl(url: &str, to: &Path) -> Command {
    let mut command = Command::new("curl");
    command
        .args(["-s", "-S", "-f", "-k", "-o"])
        .arg(to)
        .arg(url);
    command
}

/// A shell pipeline that fails as a whole.
pub fn shell(script: &str, dir: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("set -o pipefail; {script}")])
        .current_dir(dir)
        .stdout(Stdio::null());
    command
}

/// A port nobody listens on right now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until somebody listens on every port.
fn await_ports(ports: &[u16]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    for port in ports {
        while TcpStream::connect(("127.0.0.1", *port)).is_err() {
            assert!(Instant::now() < deadline, "nobody came up on port {port}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Waits until somebody listens on a port, without calling.
pub fn await_listener(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let sought = format!(":{port:04X} 00000000:0000 0A");
    while !fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&sought)) {
        assert!(Instant::now() < deadline, "nobody listens on port {port}");
        thread::yield_now();
    }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// A folder's filesystem, by its magic (statfs(2)).
pub fn filesystem(dir: &Path) -> String {
    let magic = rustix::fs::statfs(dir).map_or(0, |found| found.f_type);
    let known = [
        (0xEF53, "ext4"),
        (0x0102_1994, "tmpfs"),
        (0x5846_5342, "xfs"),
        (0x9123_683E, "btrfs"),
        (0x794C_7630, "overlayfs"),
        (0x2FC1_2FC1, "zfs"),
        (0xF2F5_2010, "f2fs"),
        (0x6969, "nfs"),
    ];
    let name = known.iter().find(|(number, _)| *number == magic);
    name.map_or_else(|| format!("{magic:#x}"), |(_, name)| (*name).to_owned())
}

/// A source and a target folder.
pub struct Place {
    /// Where files come from.
    pub source: PathBuf,
    /// Where they go to.
    pub target: PathBuf,
}

impl Place {
    /// Both filesystems, for the title.
    pub fn words(&self) -> String {
        let (from, to) = (filesystem(&self.source), filesystem(&self.target));
        format!("{from} → {to}")
    }
}
