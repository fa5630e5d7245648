import Synchronization

/// Runs many seeds on all cores.
package final class Farm: Sendable {
  package struct Order: Sendable {
    package var first: UInt64 = 1
    package var seedsCount = 20_000
    /// No further run is begun after so many seconds.
    package var secondsMax: Double?
    package var workersCount = coresCount
    /// No further run is begun after so many failures.
    package var failuresMax = 1

    package init() {}
  }

  package struct Harvest: Sendable {
    package var totals = Totals()
    package var failures: [Failure] = []
    fileprivate var begun = 0
  }

  private let order: Order
  private let startedAt = secondsNow()
  private let harvest = Mutex(Harvest())

  package init(_ order: Order) {
    self.order = order
  }

  /// - Parameter watch: is called some times a second with what has been brought in so far.
  package func run(watch: (Harvest) -> Void = { _ in }) -> Harvest {
    onThreads(order.workersCount, watch: { watch(harvest.withLock(\.self)) }) { worker in
      while let seed = self.nextSeed() {
        SeedsAtWork.note(seed, of: worker)
        let simulation = Simulation(seed: seed)
        simulation.run()
        self.add(simulation)
      }
      SeedsAtWork.note(nil, of: worker)
    }
    var result = harvest.withLock(\.self)
    result.failures.sort { $0.seed < $1.seed }
    return result
  }

  private func nextSeed() -> UInt64? {
    let isLate = order.secondsMax.map { secondsNow() - startedAt >= $0 } ?? false
    return harvest.withLock { harvest in
      guard !isLate, harvest.begun < order.seedsCount, harvest.failures.count < order.failuresMax
      else { return nil }
      harvest.begun += 1
      return order.first + UInt64(harvest.begun - 1)
    }
  }

  private func add(_ simulation: Simulation) {
    let totals = simulation
    harvest.withLock { harvest in
      harvest.totals.add(totals)
      guard let violation = totals.violation else { return }
      harvest.failures.append(Failure(seed: totals.seed, violation: violation))
    }
  }
}
