import Glibc
import HotlineCore
import TestSupport
import Testing

@Suite struct SimulationTests {
  /// In slices, which run side by side.
  @Test(arguments: 0..<4)
  func everySeedKeepsThePromises(slice: Int) {
    let count = (number("HOTLINE_SIMULATION_SEEDS") ?? 300) / 4
    let first = (number("HOTLINE_SIMULATION_FIRST") ?? 1) + slice * count
    var tally = Totals()
    for seed in UInt64(first)..<UInt64(first + count) {
      let simulation = Simulation(seed: seed)
      simulation.run()
      tally.add(simulation)
      if let violation = simulation.violation {
        tally.failures += 1
        if tally.failures <= 5 { Issue.record("\(report(seed, violation))") }
        tally.kinds[violation.filter { !$0.isNumber }, default: []].append(seed)
      }
    }
    print("\(count) seeds: \(tally)")
    #expect(tally.failures == 0)
    // A simulator in which nothing happens finds nothing.
    #expect(tally.finished > count && tally.delivered > count && tally.dials > count)
  }

  /// `HOTLINE_SIMULATION_SEED=7 swift test --filter oneSeedInWords` prints a whole run.
  @Test(.enabled(if: number("HOTLINE_SIMULATION_SEED") != nil))
  func oneSeedInWords() {
    let seed = UInt64(number("HOTLINE_SIMULATION_SEED") ?? 0)
    let simulation = Simulation(seed: seed, isTraced: true)
    simulation.run()
    for line in simulation.trace { print(line) }
    #expect(simulation.violation == nil)
  }

  @Test func theSameSeedGivesTheSameRun() {
    for seed in UInt64(1)...10 {
      let first = Simulation(seed: seed)
      first.run()
      let second = Simulation(seed: seed, isTraced: true)
      second.run()
      #expect(first.tally == second.tally)
      #expect(first.step == second.step)
    }
  }
}

/// Sums over many runs.
struct Totals: CustomStringConvertible {
  var failures = 0
  var steps = 0
  var finished = 0
  var delivered = 0
  var dials = 0
  var resent = 0
  var digest: UInt64 = 0
  var kinds: [String: [UInt64]] = [:]

  mutating func add(_ simulation: Simulation) {
    steps += simulation.step
    finished += simulation.tally.finished
    delivered += simulation.tally.delivered
    dials += simulation.tally.dials
    resent += simulation.tally.resent
    digest = digest &* 31 &+ simulation.tally.digest
  }

  var description: String {
    var text = "\(steps) steps, \(finished) requests, \(delivered) events, \(dials) dials, "
    text += "\(resent) resent, digest \(String(digest, radix: 16)), \(failures) failures"
    for (kind, seeds) in kinds.sorted(by: { $0.value.count > $1.value.count }) {
      text += "\n  \(seeds.count) × \(kind): \(seeds.prefix(6))"
    }
    return text
  }
}

/// Runs a failed seed again in words; the end of it is what matters.
func report(_ seed: UInt64, _ violation: String) -> String {
  let simulation = Simulation(seed: seed, isTraced: true)
  simulation.run()
  let lines = simulation.trace.suffix(60).joined(separator: "\n")
  return "seed \(seed): \(violation)\n\(lines)"
}

private func number(_ variable: String) -> Int? {
  getenv(variable).flatMap { Int(String(cString: $0)) }
}
