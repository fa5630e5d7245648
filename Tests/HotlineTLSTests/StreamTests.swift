import COpenSSL
import HotlineTLS
import TestSupport
import Testing

@Suite struct StreamTests {
  private func openPair(version: Int32 = TLS1_3_VERSION) throws -> TLSTestPair {
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    var pair = try TLSTestPair(TLSTestWorld.clientContext(), serverContext)
    pair.run()
    try #require(pair.client.state == .open)
    return pair
  }

  @Test(arguments: HandshakeTests.versions)
  func eightMebibytesGoEachWay(version: Int32) throws {
    var pair = try openPair(version: version)
    let bytes = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 13) }
    var most = 0
    bytes.withUnsafeBytes { all in
      var rest = all[...]
      while !rest.isEmpty {
        rest = rest.dropFirst(pair.client.write(UnsafeRawBufferPointer(rebasing: rest)))
        most = max(most, pair.client.pendingCiphertextBytes)
        pair.server.receive(pair.client.takeAll())
      }
    }
    #expect(pair.server.received == bytes)
    #expect(most < 17 << 10)
    pair.server.write(bytes)
    pair.run(pieceBytes: 16 << 10)
    #expect(pair.plaintext == bytes)
  }

  @Test func recordsCutAtEveryByteDecryptAsFarAsTheyAreWhole() throws {
    let pair = try openPair()
    for count in [1, 2, 100] {
      let message = [UInt8](repeating: UInt8(count), count: count)
      pair.server.write(message)
      let records = pair.server.takeOutput()
      for byte in records.dropLast() {
        pair.client.receive([byte])
        #expect(pair.client.readAll().isEmpty)
      }
      pair.client.receive([records[records.count - 1]])
      #expect(pair.client.readAll() == message)
    }
  }

  @Test(arguments: [1, 7, 16384, 16385])
  func plaintextComesInWhateverBufferItIsAskedInto(chunkBytes: Int) throws {
    let pair = try openPair()
    let message = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
    pair.server.write(message)
    pair.client.receive(pair.server.takeOutput())
    #expect(pair.client.readAll(chunkBytes: chunkBytes) == message)
  }

  @Test(arguments: HandshakeTests.versions)
  func closeNotifyIsACleanEndAndNothingFollowsIt(version: Int32) throws {
    let pair = try openPair(version: version)
    pair.server.write([1, 2, 3])
    pair.server.sendCloseNotify()
    pair.client.receive(pair.server.takeOutput())
    #expect(pair.client.readAll() == [1, 2, 3])
    #expect(pair.client.state == .ended)
    #expect(pair.client.encrypt([4]).isEmpty)
    pair.client.receive([23, 3, 3, 0, 1, 0])
    #expect(pair.client.state == .ended)
    #expect(pair.client.transportEnded() == nil)
    pair.client.close()
    #expect(pair.client.state == .closed)
    pair.server.receive(pair.client.takeAll())
    #expect(pair.server.isEnded)
  }

  @Test func anEndWithoutCloseNotifyIsATruncation() throws {
    let pair = try openPair()
    pair.server.write([1, 2, 3])
    pair.client.receive(pair.server.takeOutput())
    #expect(pair.client.readAll() == [1, 2, 3])
    let error = try #require(pair.client.transportEnded())
    #expect(error.kind == .truncated)
    #expect(pair.client.failure == error)
    #expect(pair.client.takeAll().isEmpty)
  }

  @Test func closeSendsCloseNotifyOnce() throws {
    let pair = try openPair()
    pair.client.close()
    pair.client.close()
    #expect(pair.client.state == .closed)
    pair.server.receive(pair.client.takeAll())
    #expect(pair.server.isEnded)
    #expect(pair.client.transportEnded() == nil)
    #expect(pair.client.encrypt([1]).isEmpty)
  }

  @Test func closeBeforeOrDuringTheHandshakeSendsNothing() throws {
    let context = try TLSTestWorld.clientContext()
    for isStarted in [false, true] {
      let client = try TLSEngine(context: context, serverName: "api.example.com", port: 443)
      if isStarted { client.start() }
      _ = client.takeAll()
      client.close()
      #expect(client.state == .closed)
      #expect(client.takeAll().isEmpty)
      client.start()
      #expect(client.takeAll().isEmpty)
    }
  }

  @Test func keyUpdatesAreFollowedBothWays() throws {
    var pair = try openPair()
    for round in UInt8(0)..<20 {
      pair.server.requestKeyUpdate()
      pair.server.write([round])
      pair.run()
      #expect(pair.plaintext.last == round)
      pair.server.receive(pair.client.encrypt([round]))
      #expect(pair.server.received.last == round)
    }
    #expect(pair.server.failure == nil)
  }

  @Test func aBrokenRecordFailsWithAnAlertAndKeepsTheFirstCause() throws {
    let pair = try openPair()
    pair.server.write([1, 2, 3])
    var records = pair.server.takeOutput()
    records[records.count - 1] ^= 1
    pair.client.receive(records)
    #expect(pair.client.readAll().isEmpty)
    let error = try #require(pair.client.failure)
    #expect(error.kind == .protocolViolation)
    #expect(error.description.contains("bad record mac"), "\(error)")
    pair.client.close()
    #expect(pair.client.state == .failed)
    pair.server.receive(pair.client.takeAll())
    #expect(pair.server.failure?.contains("alert bad record mac") == true)
    #expect(pair.client.transportEnded() == nil)
    #expect(pair.client.failure == error)
  }

  @Test func renegotiationIsRefused() throws {
    var pair = try openPair(version: TLS1_2_VERSION)
    pair.server.requestRenegotiation()
    pair.run()
    #expect(pair.server.handshakes == 1)
    #expect(pair.server.failure == "no renegotiation")
  }
}
