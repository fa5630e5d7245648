import Foundation
import TestSupport
import Testing

/// Servers that this project did not write.
@Suite(.serialized, Requires.tools("openssl"))
struct ForeignServerTests {
  private func configuration(
    _ url: String, caFile: String, compression: String = "auto"
  ) -> String {
    """
    default_upstream = "foreign"
    [upstream.foreign]
    url = "\(url)"
    ca_file = "\(caFile)"
    compression = "\(compression)"
    """
  }

  // MARK: Python

  @Test(Requires.pythonPackages) func pythonWebSocketsBehindTLS() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("python")
    let script = try directory.write("server.py", PythonServer.script)
    let server = try ChildProcess(
      Requires.python(), ["-u", script, pair.certificate, pair.key, "none"])
    let port = try server.standardOutput.waitForLine(containing: "port ").dropFirst(5)
    let daemon = try DaemonProcess(
      configuration("wss://localhost:\(port)/v1/realtime", caFile: certificates.caFile),
      in: directory)
    let client = try daemon.client()
    for size in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
      let text = String(repeating: "ü", count: size / 2) + String(repeating: "x", count: size % 2)
      let lines = try client.ask(request(text))
      #expect(lines.done?.outcome.string == "completed", "\(size): \(lines.suffix(2))")
      #expect(answerText(lines) == text)
      let created = lines.first { $0.kind == "response.created" }
      #expect(created?.headers.authorization.string == "Bearer key-of-the-tests")
      #expect(created?.headers.beta.string == "realtime=v1")
      #expect(created?.message.names == ["type", "response"])
      #expect(created?.message.response.store.bool == false)
    }
    let fragments = try client.ask(request("fragments"))
    #expect(answerText(fragments) == "fragments")
    let pings = try client.ask(request("ping"))
    #expect(answerText(pings) == "pong", "the daemon answers pings while it waits")
    let closed = try client.ask(request("close"))
    #expect(closed.codes == ["connection_lost"])
    #expect(closed.error?.hotline.close_code.integer == 1012)
    #expect(closed.error?.hotline.close_reason.string == "service restart")
    #expect(try client.ask(request("again")).done?.outcome.string == "completed")
    try daemon.process.terminate()
    // After the answer to its own close, 1012.
    try server.standardOutput.waitForLine(containing: "closed by peer with 1000")
  }

  /// Python's `websockets` agrees to windows of 12 bits.
  @Test(Requires.pythonPackages, arguments: ["auto", "off"])
  func pythonWebSocketsCompressesWhereItIsWanted(compression: String) throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("python")
    let script = try directory.write("server.py", PythonServer.script)
    let server = try ChildProcess(
      Requires.python(), ["-u", script, pair.certificate, pair.key, "deflate"])
    let port = try server.standardOutput.waitForLine(containing: "port ").dropFirst(5)
    let daemon = try DaemonProcess(
      configuration(
        "wss://localhost:\(port)/v1/realtime", caFile: certificates.caFile,
        compression: compression), in: directory)
    let client = try daemon.client()
    for count in [0, 1, 30, 100, 5000, 65_536, 1_000_000] {
      let text = String(String(repeating: "Größe, 日本語 😀 or \(count); ", count: count).prefix(count))
      for _ in 0..<2 {
        let lines = try client.ask(request(text))
        #expect(lines.done?.outcome.string == "completed", "\(count): \(lines.suffix(2))")
        #expect(answerText(lines) == text)
      }
    }
    #expect(answerText(try client.ask(request("fragments"))) == "fragments")
    #expect(answerText(try client.ask(request("ping"))) == "pong")
    let connections = try daemon.status().readyConnections
    let isWanted = compression == "auto"
    #expect(connections.allSatisfy { $0.deflate.bool == isWanted }, "\(connections)")
    let saved = connections.compactMap(\.saved_bytes.integer)
    #expect(saved.isEmpty != isWanted)
    #expect(!isWanted || saved.reduce(0, +) > 4_000_000, "\(saved)")
  }

  // MARK: nginx

  @Test(Requires.tools("nginx")) func nginxTerminatesTLSBeforeAPlainServer() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("nginx")
    let simulator = try SimulatorProcess(["--plain"], in: directory)
    let (server, port) = try Nginx.start(
      in: directory, certificate: pair.certificate, key: pair.key, upstreamPort: simulator.port)
    let daemon = try DaemonProcess(
      configuration("wss://localhost:\(port)/v1/realtime", caFile: certificates.caFile),
      in: directory)
    try daemon.waitUntilWarm()
    let client = try daemon.client()
    let lines = try client.ask(request("Hello!"))
    #expect(lines.kinds == RelayTests.order)
    #expect(answerText(lines) == "Echo: Hello!")
    let large = try client.ask(request("[[fault: giant 3000000 after 4]]"))
    #expect(large.contains { $0.bytes.count > 3_000_000 })
    #expect(large.done?.outcome.string == "completed")
    // The server behind it is gone: nginx answers upgrades with 502.
    try simulator.killAtOnce()
    try daemon.waitForStatus("the loss") { $0.readyConnections.isEmpty }
    let away = try client.ask(request("x", options: #""queue_timeout_ms":1500"#))
    let error = try #require(away.error)
    #expect(error.code == "queue_timeout")
    #expect(error.hotline.status.integer == 502, "\(error)")
    #expect(try server.terminate() == .exited(0))
  }

  @Test(Requires.tools("nginx")) func nginxWantsACertificateOfItsClient() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let server = try certificates.make("nginx")
    let own = try certificates.make("client", for: "client.example")
    let simulator = try SimulatorProcess(["--plain"], in: directory)
    let (nginx, port) = try Nginx.start(
      in: directory, certificate: server.certificate, key: server.key,
      upstreamPort: simulator.port, clientAuthority: certificates.caFile)
    // Beside the authorities of the system, not instead of them.
    let without = """
      default_upstream = "foreign"
      [upstream.foreign]
      url = "wss://localhost:\(port)/v1/realtime"
      ca_file_extra = "\(certificates.caFile)"

      """
    let refused = try DaemonProcess(without, in: directory)
    let lines = try refused.client().ask(request("x"))
    let message = lines.error?.json.error.message.string ?? ""
    #expect(message.contains("No required SSL certificate was sent"), "\(lines)")
    try refused.process.terminate()
    let daemon = try DaemonProcess(
      without + "client_certificate = \"\(own.certificate)\"\nclient_key = \"\(own.key)\"\n",
      in: directory)
    #expect(answerText(try daemon.client().ask(request("hello"))) == "Echo: hello")
    #expect(try nginx.terminate() == .exited(0))
  }

  // MARK: openssl s_server

  /// Starts `openssl s_server` on 127.0.0.1.
  static func startOpenSSL(_ flags: [String]) throws -> (process: ChildProcess, port: String) {
    let server = try ChildProcess(
      Requires.tool("openssl"), ["s_server", "-accept", "127.0.0.1:0"] + flags)
    let line = try server.standardOutput.waitForLine(containing: "ACCEPT ")
    return (server, String(line.split(separator: ":").last ?? ""))
  }

  /// Has a request fail on it, and returns the error.
  private func failure(
    _ flags: [String], host: String = "localhost", caFile: String, in directory: TemporaryDirectory
  ) throws -> Line {
    let server = try Self.startOpenSSL(flags)
    defer { server.process.send(SIGKILL) }
    let daemon = try DaemonProcess(
      configuration("wss://\(host):\(server.port)/", caFile: caFile), in: directory)
    let options = #""queue_timeout_ms":2500"#
    let lines = try daemon.client().ask(request("x", options: options))
    #expect(lines.done?.outcome.string == "error")
    let error = try #require(lines.error, "\(lines)")
    #expect(["queue_timeout", "upstream_unavailable"].contains(error.code), "\(error)")
    #expect(error.hotline.sent.string == "no")
    return error
  }

  @Test func anExpiredCertificate() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("expired", days: -1)
    let error = try failure(
      ["-cert", pair.certificate, "-key", pair.key], caFile: certificates.caFile, in: directory)
    #expect(error.error.message.string?.contains("certificate has expired") == true, "\(error)")
  }

  @Test func aCertificateForAnotherName() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("other", for: "example.org")
    let flags = ["-cert", pair.certificate, "-key", pair.key]
    let name = try failure(flags, caFile: certificates.caFile, in: directory)
    #expect(name.error.message.string?.contains("hostname mismatch") == true, "\(name)")
    let address = try failure(
      flags, host: "127.0.0.1", caFile: certificates.caFile, in: directory)
    #expect(address.error.message.string?.contains("IP address mismatch") == true, "\(address)")
  }

  @Test func aCertificateOfAnUnknownAuthority() throws {
    let directory = try TemporaryDirectory()
    let strangers = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try TestCertificates(in: strangers).make("stranger")
    let error = try failure(
      ["-cert", pair.certificate, "-key", pair.key], caFile: certificates.caFile, in: directory)
    let message = error.error.message.string ?? ""
    #expect(
      message.contains("unable to get local issuer certificate")
        || message.contains("unable to verify") || message.contains("signature failure"),
      "\(error)")
  }

  @Test func aServerThatKnowsOnlyTLS11() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let pair = try certificates.make("old")
    let error = try failure(
      [
        "-cert", pair.certificate, "-key", pair.key, "-tls1_1", "-cipher",
        "DEFAULT:@SECLEVEL=0",
      ], caFile: certificates.caFile, in: directory)
    let message = error.error.message.string ?? ""
    #expect(message.contains("protocol"), "\(error)")
  }

  @Test func plainTextOnTheTLSPort() throws {
    let directory = try TemporaryDirectory()
    let certificates = try TestCertificates(in: directory)
    let simulator = try SimulatorProcess(["--plain"], in: directory)
    let daemon = try DaemonProcess(
      configuration("wss://localhost:\(simulator.port)/", caFile: certificates.caFile),
      in: directory)
    let options = #""queue_timeout_ms":1500"#
    let lines = try daemon.client().ask(request("x", options: options))
    let error = try #require(lines.error, "\(lines)")
    #expect(error.code == "queue_timeout")
    #expect(error.error.message.string?.lowercased().contains("tls") == true, "\(error)")
  }
}
