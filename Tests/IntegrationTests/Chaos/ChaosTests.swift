import Foundation
import TestSupport
import Testing

/// Clients of all habits, while the server is killed, stalls and refuses.
struct ChaosTests {
  private static func number(_ name: String) -> UInt64? {
    ProcessInfo.processInfo.environment["HOTLINE_CHAOS_\(name)"].flatMap { UInt64($0) }
  }

  @Test func nothingIsLostAndNothingGoesAstray() async throws {
    let seed = Self.number("SEED") ?? .random(in: 0 ... .max)
    let requests = Self.number("REQUESTS").map { Int(clamping: $0) } ?? Chaos.requestsUsual
    do {
      try await Chaos(seed: seed).run(requests: requests, clients: min(64, requests / 100 + 8))
    } catch {
      Issue.record("seed \(seed) ($HOTLINE_CHAOS_SEED): \(error)")
    }
  }
}
