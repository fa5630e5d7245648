import Glibc
import TestSupport
import Testing

/// The server's certificate is verified, and nothing changes that.
@Suite(.serialized)
struct VerificationTests {
  /// What turns verification off elsewhere, in one program or another.
  private static let variables = [
    "NODE_TLS_REJECT_UNAUTHORIZED": "0", "PYTHONHTTPSVERIFY": "0", "GIT_SSL_NO_VERIFY": "1",
    "CURL_INSECURE": "1", "SSL_NO_VERIFY": "1", "SSL_VERIFY": "0", "TLS_INSECURE": "1",
    "REQUESTS_CA_BUNDLE": "", "GODEBUG": "x509ignoreCN=0", "HOTLINE_INSECURE": "1",
    "HOTLINE_TLS_VERIFY": "0", "HOTLINE_SKIP_VERIFY": "1", "SSL_CERT_VERIFY": "false",
  ]

  /// OpenSSL's own configuration may ask for less than it does by default.
  private static let opensslConfiguration = """
    openssl_conf = all
    [all]
    ssl_conf = ssl
    [ssl]
    system_default = defaults
    client = defaults
    [defaults]
    MinProtocol = TLSv1
    CipherString = ALL:COMPLEMENTOFALL:@SECLEVEL=0
    VerifyMode = Request
    Options = UnsafeLegacyRenegotiation
    """

  @Test func noVariableTurnsItOff() throws {
    let directory = try TemporaryDirectory()
    let simulator = try SimulatorProcess(in: directory)
    var environment = Self.variables
    environment["OPENSSL_CONF"] = try directory.write(
      "openssl.cnf", Self.opensslConfiguration, mode: 0o644)
    let daemon = try DaemonProcess(
      "default_upstream = \"sim\"\n[upstream.sim]\nurl = \"\(simulator.url)\"\n", in: directory,
      environment: environment)
    let status = try daemon.waitForStatus("a failure") { $0.upstreams[0].last_error.string != nil }
    let error = status.upstreams[0].last_error.string ?? ""
    #expect(error.contains("was not accepted"), "\(error)")
    #expect(status.readyConnections.isEmpty)
    #expect(status.upstreams[0].tls.handshakes.integer == 0)
  }

  /// Servers that such a configuration admits, as OpenSSL's own client shows, and words of why the
  /// daemon does not.
  @Test(
    Requires.tools("openssl"),
    arguments: [(true, [], "too weak"), (false, ["-tls1_1"], "protocol version")])
  func whatOpenSSLsConfigurationWouldAdmitIsRefused(
    isWeak: Bool, flags: [String], words: String
  ) throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("server", isWeak: isWeak)
    let server = try ForeignServerTests.startOpenSSL(
      ["-cert", pair.certificate, "-key", pair.key, "-cipher", "ALL:@SECLEVEL=0"] + flags)
    defer { server.process.send(SIGKILL) }
    let configuration = try directory.write(
      "openssl.cnf", Self.opensslConfiguration, mode: 0o644)
    let environment = ["OPENSSL_CONF": configuration]
    let client = [
      "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", certificates.caFile,
      "-verify_hostname", "localhost", "-verify_return_error",
    ]
    let (tool, ca) = (try Requires.tool("openssl"), certificates.caFile)
    #expect(try ChildProcess.run(tool, client, environment: environment).end == .exited(0))
    #expect(try ChildProcess.run(tool, client).end != .exited(0))
    let daemon = try DaemonProcess(
      "default_upstream = \"s\"\n[upstream.s]\nurl = \"wss://localhost:\(server.port)/\"\n"
        + "ca_file = \"\(ca)\"\n", in: directory, environment: environment)
    let status = try daemon.waitForStatus("a failure") { $0.upstreams[0].last_error.string != nil }
    let error = status.upstreams[0].last_error.string ?? ""
    #expect(error.contains(words), "\(error)")
    #expect(status.upstreams[0].tls.handshakes.integer == 0)
  }

  @Test func aPrivateKeyThatOthersMayReadIsRefused() throws {
    let directory = try TemporaryDirectory()
    let key = try directory.write("client key", "x", mode: 0o644)
    let lines = "client_certificate = \"c.pem\"\nclient_key = \"client key\""
    let file = try directory.write("config.toml", "[upstream.smartaipi]\n\(lines)\n")
    let result = try ChildProcess.run(
      Requires.program("hotlined"), ["--config", file, "--socket", directory("s")],
      environment: DaemonProcess.environment(in: directory))
    #expect(result.end == .exited(78))
    #expect(
      result.errors.contains(
        "upstream.smartaipi.client_key: group or others can read the key; run: chmod 600 '\(key)'"),
      "\(result.errors)")
  }

  @Test func handshakesAreCountedAndReconnectionsResume() throws {
    let rig = try Rig()
    #expect(try rig.daemon.status().upstreams[0].tls.resumed.integer == 0)
    try rig.simulator.command("drop all")
    let status = try rig.daemon.waitForStatus("another handshake") { status in
      status.upstreams[0].tls.handshakes.integer ?? 0 >= 2 && !status.readyConnections.isEmpty
    }
    #expect(status.upstreams[0].tls.resumed.integer ?? 0 >= 1)
    #expect(status.readyConnections[0].tls_resumed.bool == true)
  }

  @Test(arguments: [
    "verify = false", "tls_verify = false", "insecure = true", "skip_verify = true",
    "insecure_skip_verify = true", "check_certificate = false", "verify_hostname = false",
    "ca_file = false", "ca_file = \"none\"", "ca_file_extra = \"*\"", "tls_min = \"none\"",
    "tls_min = \"1.1\"", "pin_sha256 = []",
  ])
  func noKeyTurnsItOff(line: String) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("config.toml", "[upstream.smartaipi]\n\(line)\n")
    let result = try ChildProcess.run(
      Requires.program("hotlined"),
      ["--config", file, "--socket", directory("s"), "--check-config"],
      environment: DaemonProcess.environment(in: directory))
    #expect(result.end == .exited(78), "\(result.errors)")
    #expect(result.errors.contains("upstream.smartaipi"), "\(result.errors)")
  }

  @Test(arguments: [
    "--insecure", "-k", "--no-verify", "--skip-verify", "--no-check-certificate",
    "--tls-verify=false",
  ])
  func noFlagTurnsItOff(flag: String) throws {
    let directory = try TemporaryDirectory()
    let result = try ChildProcess.run(
      Requires.program("hotlined"), ["--socket", directory("s"), "--check-config", flag],
      environment: DaemonProcess.environment(in: directory))
    #expect(result.end == .exited(64), "\(result.errors)")
  }
}
