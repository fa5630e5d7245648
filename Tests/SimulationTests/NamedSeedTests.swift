import HotlineSimulation
import Testing

/// That each finds its mistake is shown by `contrib/simulate --faults`.
@Suite struct NamedSeedTests {
  @Test(arguments: NamedSeed.all) func aNamedSeedKeepsThePromises(named: NamedSeed) {
    let simulation = Simulation(seed: named.seed)
    simulation.run()
    if let violation = simulation.violation {
      Issue.record("\(Failure(seed: named.seed, violation: violation).report)")
    }
  }
}
