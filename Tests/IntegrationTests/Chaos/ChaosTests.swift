import Foundation
import TestSupport
import Testing

/// Clients of all habits, while the server is killed, stalls and refuses.
struct ChaosTests {
  @Test func nothingIsLostAndNothingGoesAstray() async throws {
    let name = "HOTLINE_CHAOS_SEED"
    let given = ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    let seed = given ?? .random(in: 0 ... .max)
    do {
      try await Chaos(seed: seed).run(requests: 10_000, clients: 64)
    } catch {
      Issue.record("seed \(seed) ($\(name)): \(error)")
    }
  }
}
