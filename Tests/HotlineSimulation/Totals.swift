/// Sums over many runs.
package struct Totals: Sendable, CustomStringConvertible {
  package var seeds = 0
  package var steps = 0
  package var finished = 0
  package var delivered = 0
  package var dials = 0
  package var resent = 0
  package var held = 0
  package var failedOver = 0
  /// Of all that was done, whatever the order of the runs.
  package var digest: UInt64 = 0

  package init() {}

  package mutating func add(_ simulation: Simulation) {
    seeds += 1
    steps += simulation.step
    finished += simulation.tally.finished
    delivered += simulation.tally.delivered
    dials += simulation.tally.dials
    resent += simulation.tally.resent
    held += simulation.tally.held
    failedOver += simulation.tally.failedOver
    digest &+= simulation.tally.digest
  }

  package var description: String {
    "\(seeds) seeds, \(steps) steps, \(finished) requests, \(delivered) events, \(dials) dials, "
      + "\(resent) resent, \(held) holds, \(failedOver) failed over, "
      + "digest \(String(digest, radix: 16))"
  }
}

/// A run that broke a promise.
package struct Failure: Sendable {
  package let seed: UInt64
  package let violation: String

  package init(seed: UInt64, violation: String) {
    self.seed = seed
    self.violation = violation
  }

  /// Failures of one kind differ in the numbers that they name only.
  package var kind: String { violation.filter { !$0.isNumber } }

  /// The violation and the end of the run in words, which is what matters.
  package var report: String {
    var lines: [String] = []
    Simulation(seed: seed) { line in
      lines.append(line)
      if lines.count > 120 { lines.removeFirst(60) }
    }.run()
    return "seed \(seed): \(violation)\n" + lines.suffix(60).joined(separator: "\n")
  }
}
