import COpenSSL
import TestSupport
import Testing

@testable import HotlineTLS

/// SplitMix64: a failure names the seed, and the seed gives the same bytes again.
private struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

@Suite struct HostileBytesTests {
  @Test(arguments: HandshakeTests.versions, [0, 1])
  func aMutatedFlightNeverOpensAHandshakeThatTheServerSeesOtherwise(
    version: Int32, flightMutated: Int
  ) throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: 0)
    let serverContext = TLSTestServerContext(TLSTestWorld.identity, mostVersion: version)
    var failures = 0
    for seed in UInt64(0)..<300 {
      var random = SeededRandom(state: seed)
      let pair = try TLSTestPair(context, serverContext)
      pair.client.start()
      for number in 0...flightMutated {
        pair.server.receive(pair.client.takeAll())
        var flight = pair.server.takeOutput()
        if number == flightMutated {
          for _ in 0...Int.random(in: 0..<4, using: &random) { flight.mutate(using: &random) }
        }
        pair.client.receive(flight)
        #expect(pair.client.readAll().isEmpty, "seed \(seed)")
      }
      if pair.client.state == .failed { failures += 1 }
      pair.server.receive(pair.client.takeAll())
      if pair.client.state == .open { #expect(pair.server.isHandshakeDone, "seed \(seed)") }
    }
    #expect(failures > 150)
  }

  @Test func mutatedRecordsAfterTheHandshakeNeverDecrypt() throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: 0)
    let serverContext = TLSTestServerContext(TLSTestWorld.identity)
    let message = [UInt8](repeating: 7, count: 200)
    for seed in UInt64(0)..<300 {
      var random = SeededRandom(state: seed)
      var pair = try TLSTestPair(context, serverContext)
      pair.run()
      pair.server.write(message)
      var records = pair.server.takeOutput()
      let index = Int.random(in: 0..<records.count, using: &random)
      records[index] ^= UInt8.random(in: 1...255, using: &random)
      pair.client.receive(records)
      // The version in the header of a record means nothing any more (RFC 8446, 5.1).
      let isVersionByte = index == 1 || index == 2
      #expect(pair.client.readAll().isEmpty || isVersionByte, "seed \(seed)")
    }
  }

  @Test func randomBytesNeverCrashTheEngine() throws {
    let context = try TLSTestWorld.clientContext(sessionsMax: 0)
    for seed in UInt64(0)..<2000 {
      var random = SeededRandom(state: seed)
      let client = try TLSEngine(context: context, serverName: "api.example.com", port: 443)
      client.start()
      var bytes = (0..<Int.random(in: 1..<300, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if Bool.random(using: &random) { bytes.replaceSubrange(0..<1, with: [22, 3, 3, 0]) }
      client.receive(bytes)
      _ = client.readAll()
      _ = client.transportEnded()
      #expect(client.state == .failed, "seed \(seed)")
    }
  }

  @Test func everySSLObjectIsFreedWithItsEngine() throws {
    final class Counter { var count = 0 }
    let counter = Counter()
    let slot = CRYPTO_get_ex_new_index(
      CRYPTO_EX_INDEX_SSL, 0, nil, nil, nil,
      { _, data, _, _, _, _ in
        guard let data else { return }
        Unmanaged<Counter>.fromOpaque(data).takeUnretainedValue().count += 1
      })
    let context = try TLSTestWorld.clientContext()
    for budget in [0, 10, 200, Int.max] {
      var pair = try TLSTestPair(
        context, TLSTestServerContext(TLSTestWorld.identity))
      SSL_set_ex_data(pair.client.ssl, slot, Unmanaged.passUnretained(counter).toOpaque())
      pair.run(budget: budget)
    }
    #expect(counter.count == 4)
    #expect(throws: TLSError.self) {
      try TLSEngine(context: context, serverName: "", port: 443)
    }
  }

  @Test func contextLivesNoLongerThanItsEngines() throws {
    weak var observed: TLSContext?
    do {
      var pair: TLSTestPair?
      do {
        let context = try TLSTestWorld.clientContext()
        observed = context
        pair = try TLSTestPair(context, TLSTestServerContext(TLSTestWorld.identity))
      }
      pair?.run()
      #expect(observed != nil)
      #expect(pair?.client.state == .open)
      pair = nil
    }
    #expect(observed == nil)
  }
}

extension [UInt8] {
  /// Flips a byte, cuts, inserts or removes.
  fileprivate mutating func mutate(using random: inout SeededRandom) {
    guard !isEmpty else { return }
    let index = Int.random(in: 0..<count, using: &random)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: self[index] ^= UInt8.random(in: 1...255, using: &random)
    case 1: removeSubrange(index...)
    case 2: insert(UInt8.random(in: 0...255, using: &random), at: index)
    default: remove(at: index)
    }
  }
}
