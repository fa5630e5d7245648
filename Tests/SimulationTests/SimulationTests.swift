import HotlineSimulation
import Testing

@Suite struct SimulationTests {
  /// Some hundred, for every build; `contrib/simulate` runs as many as are wanted.
  @Test func everySeedKeepsThePromises() {
    var order = Farm.Order()
    order.seedsCount = 300
    order.failuresMax = 5
    let harvest = Farm(order).run()
    for failure in harvest.failures { Issue.record("\(failure.report)") }
    // A simulation in which nothing happens finds nothing.
    let totals = harvest.totals
    #expect(totals.finished > totals.seeds && totals.delivered > totals.seeds)
    #expect(totals.dials > totals.seeds)
  }

  @Test func theSameSeedGivesTheSameRun() {
    for seed in UInt64(1)...10 {
      let first = Simulation(seed: seed)
      first.run()
      let second = Simulation(seed: seed) { _ in }
      second.run()
      #expect(first.tally == second.tally)
      #expect(first.step == second.step)
    }
  }
}
