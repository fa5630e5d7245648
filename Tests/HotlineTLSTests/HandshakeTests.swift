import COpenSSL
import HotlineTLS
import TestSupport
import Testing

@Suite struct HandshakeTests {
  static let versions: [Int32] = [TLS1_2_VERSION, TLS1_3_VERSION]

  @Test(arguments: zip(versions, ["TLSv1.2", "TLSv1.3"]))
  func opensAndSaysWhatWasAgreed(version: Int32, name: String) throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext)
    #expect(pair.client.state == .idle)
    pair.run()
    #expect(pair.client.state == .open)
    #expect(pair.server.isHandshakeDone)
    let handshake = try #require(pair.client.handshake)
    #expect(handshake.version == name)
    #expect(handshake.cipher.hasPrefix("TLS_"))
    #expect(handshake.alpn == "http/1.1")
    #expect(!handshake.isResumed)
  }

  @Test func serverWithoutALPNIsTaken() throws {
    var pair = try TLSTestPair(
      TLSTestWorld.clientContext(), TLSTestServerContext(TLSTestWorld.identity, alpn: nil))
    pair.run()
    #expect(pair.client.state == .open)
    #expect(pair.client.handshake?.alpn == nil)
  }

  @Test func anALPNProtocolThatWasNotOfferedIsRefused() throws {
    var pair = try TLSTestPair(
      TLSTestWorld.clientContext(), TLSTestServerContext(TLSTestWorld.identity, alpn: "h2"))
    pair.run()
    #expect(pair.client.state == .failed)
    #expect(pair.client.failure?.kind == .handshake)
  }

  @Test(arguments: ["api.example.com", "API.Example.COM", "api.example.com."])
  func serverNameIsSentInLowerCaseWithoutTheLastDot(name: String) throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext, name: name)
    pair.run()
    #expect(pair.client.state == .open)
    #expect(pair.server.serverNameSeen == "api.example.com")
  }

  @Test(arguments: ["127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
  func addressIsVerifiedAndNotSentAsServerName(address: String) throws {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext, name: address)
    pair.run()
    #expect(pair.client.state == .open)
    #expect(pair.server.serverNameSeen == nil)
  }

  @Test(arguments: versions)
  func everyPieceSizeOpens(version: Int32) throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: 0)
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    for pieceBytes in [1, 2, 3, 4, 5, 6, 7, 100, 1023] {
      var pair = try TLSTestPair(context, serverContext)
      pair.run(pieceBytes: pieceBytes)
      #expect(pair.client.state == .open, "pieces of \(pieceBytes) bytes")
    }
  }

  @Test(arguments: versions)
  func aHandshakeCutAtAnyByteSaysSo(version: Int32) throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: 0)
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    for budget in 0... {
      var pair = try TLSTestPair(context, serverContext)
      pair.run(budget: budget)
      if pair.client.state == .open { return #expect(budget > 500) }
      #expect(pair.client.state == .handshaking)
      let error = try #require(pair.client.transportEnded())
      #expect(error.kind == .handshake)
      #expect(error.description.contains("closed the connection"))
      #expect(pair.client.state == .failed)
      #expect(pair.client.transportEnded() == nil)
    }
  }

  @Test func tls11IsRefused() throws {
    let serverContext = TLSTestServerContext(
      TLSTestWorld.identity, mostVersion: TLS1_1_VERSION, securityLevel: 0)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext)
    pair.run()
    let error = try #require(pair.client.failure)
    #expect(error.kind == .handshake)
    #expect(error.description.contains("protocol"), "\(error)")
  }

  @Test(
    arguments: [
      ("HTTP/1.1 400 Bad Request\r\n\r\n", true), ("HT", true), ("220 smtp ESMTP\r\n", false),
      ("\u{16}\u{1}", false),
    ])
  func plainTextPeerIsRecognised(answer: String, isHTTP: Bool) throws {
    let client = try TLSEngine(
      context: TLSTestWorld.clientContext(), serverName: "api.example.com", port: 80)
    client.start()
    client.receive(Array(answer.utf8))
    _ = client.transportEnded()
    let error = try #require(client.failure)
    #expect(error.kind == .handshake)
    #expect(error.description.contains("does not speak TLS on this port"))
    #expect(error.description.contains("plain HTTP") == isHTTP)
  }

  @Test func aSilentServerIsToldFromAPlainTextOne() throws {
    let client = try TLSEngine(
      context: TLSTestWorld.clientContext(), serverName: "api.example.com", port: 443)
    client.start()
    let error = try #require(client.transportEnded())
    #expect(error.description.contains("without an answer"))
  }

  @Test(arguments: [
    "", ".", "a b", "a\0b", "b\u{FC}cher.example", String(repeating: "a", count: 254),
  ])
  func unusableServerNamesAreRefused(name: String) throws {
    let context = try TLSTestWorld.clientContext()
    let error = #expect(throws: TLSError.self) {
      try TLSEngine(context: context, serverName: name, port: 443)
    }
    #expect(error?.kind == .configuration)
  }

  @Test func theLongestServerNameIsTaken() throws {
    let name = String(repeating: "a.", count: 126) + "a"
    #expect(name.utf8.count == 253)
    _ = try TLSEngine(context: TLSTestWorld.clientContext(), serverName: name, port: 443)
  }
}
