import Foundation
import HotlineSimulator
import Testing

/// The simulator's TLS seen by a client that is not ours.
@Suite struct TLSTests {
  @Test(arguments: ["-tls1_2", "-tls1_3"])
  func opensslVerifiesTheCertificateForEachName(version: String) async throws {
    try await withTLS { simulator, directory in
      for name in ["-verify_hostname localhost", "-verify_ip 127.0.0.1", "-verify_ip ::1"] {
        let output = try client(simulator, directory, "\(version) \(name) -alpn h2,http/1.1")
        #expect(output.contains("Verify return code: 0 (ok)"))
        #expect(output.contains("ALPN protocol: http/1.1"))
        #expect(output.contains("HTTP/1.1 426"))
      }
      #expect(try await simulator.statistics().handshakes == 3)
    }
  }

  @Test func anotherNameIsNotCovered() async throws {
    try await withTLS { simulator, directory in
      let output = try client(simulator, directory, "-verify_hostname example.com")
      #expect(!output.contains("HTTP/1.1"))
      #expect(try await simulator.statistics().failedHandshakes == 1)
    }
  }

  @Test(arguments: ["-tls1_2", "-tls1_3"])
  func handshakesAreResumed(version: String) async throws {
    try await withTLS { simulator, directory in
      let file = "\(directory)/ticket"
      let first = try client(simulator, directory, "\(version) -sess_out \(file)")
      #expect(first.contains("New, TLS"))
      let second = try client(simulator, directory, "\(version) -sess_in \(file)")
      #expect(second.contains("Reused, TLS"))
      let statistics = try await simulator.statistics()
      #expect(statistics.handshakes == 2)
      #expect(statistics.resumedHandshakes == 1)
    }
  }

  @Test func theKeyIsPrivateAndTheAuthoritySurvivesARestart() async throws {
    try await withTLS { simulator, directory in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/server.key")
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
      let url = try String(contentsOfFile: "\(directory)/url", encoding: .utf8)
      #expect(url == "wss://localhost:\(simulator.port)/v1/realtime\n")
      var configuration = SimulatorConfiguration()
      configuration.directory = directory
      let again = try Simulator(configuration)
      #expect(again.authorityPEM == simulator.authorityPEM)
      try await again.stop()
      #expect(try Simulator(SimulatorConfiguration()).authorityPEM != simulator.authorityPEM)
    }
  }

  @Test(arguments: [
    ("drop after 2", "closed", "unexpected eof"),
    ("truncate after 2", "unexpected eof", "closed\n"),
    ("reset after 2", "errno=104", "closed\n"),
  ])
  func theEndOfTheStreamIsToldAsOrdered(
    fault: String, expected: String, unexpected: String
  ) async throws {
    try await withTLS { simulator, directory in
      let request =
        #"{"type":"response.create","response":{"store":false,"input":"[[fault: \#(fault)]]"}}"#
      let bytes =
        PlainWebSocket.upgradeHead(
          port: simulator.port, path: "/v1/realtime", key: "k", upgrades: true)
        + PlainWebSocket.frame(0x81, Array(request.utf8))
      let output = try client(simulator, directory, "-tls1_3", input: Data(bytes))
      #expect(output.contains("response.in_progress"))
      #expect(!output.contains("response.output_item.added"))
      #expect(output.contains(expected))
      #expect(!output.contains(unexpected))
    }
  }

  /// What `openssl s_client` prints, to standard error too; by default it asks for something that
  /// is not a WebSocket.
  private func client(
    _ simulator: Simulator, _ directory: String, _ arguments: String,
    input request: Data = Data("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
  ) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      ["openssl", "s_client", "-connect", "127.0.0.1:\(simulator.port)", "-ign_eof"]
      + ["-CAfile", "\(directory)/ca.pem", "-verify_return_error"]
      + arguments.split(separator: " ").map(String.init)
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: request)
    try input.fileHandleForWriting.close()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }

  private func withTLS(_ body: (Simulator, String) async throws -> Void) async throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("hotline-simulator-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var configuration = SimulatorConfiguration()
    configuration.directory = directory
    let simulator = try Simulator(configuration)
    try await simulator.start()
    try await body(simulator, directory)
    try await simulator.stop()
  }
}
