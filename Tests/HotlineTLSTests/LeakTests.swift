import COpenSSL
import TestSupport
import Testing

@testable import HotlineTLS

/// Whatever becomes of a connection, everything that was made for it is freed.
@Suite struct LeakTests {
  @Test func thousandsOfConnectionsOfEveryFateLeaveNothingAllocated() async {
    await #expect(processExitsWith: .success) {
      try OpenSSLMemory.startCounting()
      let fates = try Fates()
      // What OpenSSL looks up once, and what it keeps for each thread.
      for round in 0..<20 { try fates.playAll(round) }
      let rounds = 90
      let before = OpenSSLMemory.usage
      #expect(before.blocks > 0)
      for round in 0..<rounds { try fates.playAll(round) }
      let after = OpenSSLMemory.usage
      let connections = Fate.allCases.count * HandshakeTests.versions.count * rounds
      #expect(connections > 3000)
      #expect(after.blocks == before.blocks, "\(after.growth(since: before))")
      #expect(after.bytes == before.bytes, "\(after.growth(since: before))")
    }
  }

  /// The test above sees what is left behind.
  @Test func whatIsKeptIsCounted() async {
    await #expect(processExitsWith: .success) {
      try OpenSSLMemory.startCounting()
      let fates = try Fates()
      for round in 0..<2 { try fates.playAll(round) }
      let before = OpenSSLMemory.usage
      let context = try TLSContext(trust: .caFile(fates.authority.file))
      var engine: TLSEngine? = try TLSEngine(context: context, serverName: "a", port: 1)
      let made = OpenSSLMemory.usage
      #expect(made.growth(since: before).contains { $0.contains("ssl_lib.c") })
      #expect(made.growth(since: before).contains { $0.contains("bio_lib.c") })
      #expect(engine?.state == .idle)
      engine = nil
      #expect(OpenSSLMemory.usage.blocks < made.blocks)
      #expect(OpenSSLMemory.usage.blocks > before.blocks)
      withExtendedLifetime(context) {}
    }
  }
}

/// What may become of a connection.
private enum Fate: CaseIterable {
  // From the open stream.
  case closed, ended, lost, resumed, left, brokenRecord
  // From the middle of the handshake.
  case wrongName, unknownAuthority, otherKeyPinned, otherALPN, noClientCertificate, cutShort, noTLS
  // Before it.
  case notStarted, notSent, nameRefused, contextRefused
}

/// Plays them, each with contexts of its own.
private struct Fates {
  let authority = TLSTestAuthority()
  let stranger = TLSTestAuthority()
  let identity: TLSTestIdentity
  let pin: TLSPin

  init() throws {
    identity = authority.issue("DNS:api.example.com")
    pin = try #require(TLSPin(base64: String(repeating: "A", count: 43) + "="))
  }

  func playAll(_ round: Int) throws {
    for fate in Fate.allCases {
      for version in HandshakeTests.versions { try play(fate, version, round) }
    }
  }

  private func play(_ fate: Fate, _ version: Int32, _ round: Int) throws {
    let server = TLSTestServerContext(
      identity, mostVersion: version, alpn: fate == .otherALPN ? "h2" : "http/1.1",
      clientAuthority: fate == .noClientCertificate ? authority : nil)
    var settings = TLSSettings(
      trust: .caFile((fate == .unknownAuthority ? stranger : authority).file))
    if fate == .otherKeyPinned { settings.pins = [pin] }
    let context = try TLSContext(settings)
    let name = fate == .wrongName ? "other.example" : "api.example.com"
    switch fate {
    case .closed, .ended, .lost, .left, .brokenRecord:
      try playOpen(fate, TLSTestPair(context, server))
    case .resumed:
      for isResumed in [false, true] {
        var pair = try TLSTestPair(context, server)
        pair.run()
        #expect(pair.client.handshake?.isResumed == isResumed)
      }
    case .wrongName, .unknownAuthority, .otherKeyPinned, .otherALPN, .noClientCertificate:
      var pair = try TLSTestPair(context, server, name: name)
      pair.run()
      #expect(pair.client.state == .failed || pair.server.failure != nil)
    case .cutShort:
      var pair = try TLSTestPair(context, server)
      pair.run(budget: round * 37 % 900)
      if round.isMultiple(of: 2) { _ = pair.client.transportEnded() }
    case .noTLS, .notStarted, .notSent: try playAlone(fate, context)
    case .nameRefused:
      #expect(throws: TLSError.self) {
        try TLSEngine(context: context, serverName: "a b", port: 443)
      }
    case .contextRefused:
      #expect(throws: TLSError.self) { try TLSContext(trust: .caFile("/nowhere")) }
    }
  }

  /// - Parameter pair: has not begun.
  private func playOpen(_ fate: Fate, _ pair: TLSTestPair) {
    var pair = pair
    pair.run()
    #expect(pair.client.state == .open)
    switch fate {
    case .closed:
      pair.client.close()
      pair.server.receive(pair.client.takeAll())
    case .ended:
      pair.server.sendCloseNotify()
      pair.client.receive(pair.server.takeOutput())
      #expect(pair.client.readAll().isEmpty)
      #expect(pair.client.state == .ended)
    case .lost:
      #expect(pair.client.transportEnded()?.kind == .truncated)
    case .brokenRecord:
      pair.server.write([UInt8](repeating: 7, count: 100))
      var record = pair.server.takeOutput()
      record[record.count - 1] ^= 1
      pair.client.receive(record)
      #expect(pair.client.readAll().isEmpty)
    default:
      // Bytes on their way both ways that nobody takes.
      pair.server.write([UInt8](repeating: 7, count: 40_000))
      pair.client.receive(pair.server.takeOutput())
      _ = [UInt8](repeating: 8, count: 9000).withUnsafeBytes { pair.client.write($0) }
    }
  }

  private func playAlone(_ fate: Fate, _ context: TLSContext) throws {
    let client = try TLSEngine(context: context, serverName: "api.example.com", port: 443)
    guard fate != .notStarted else { return }
    client.start()
    guard fate == .noTLS else { return }
    client.receive(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
    #expect(client.state == .failed)
  }
}
