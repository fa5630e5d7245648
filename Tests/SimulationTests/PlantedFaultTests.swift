#if HOTLINE_PLANTED_FAULTS
  import HotlineCore
  import Testing

  /// The simulator is itself tested: each mistake that the core makes to order is found.
  ///
  /// `swift test -Xswiftc -DHOTLINE_PLANTED_FAULTS --filter PlantedFaultTests`
  @Suite struct PlantedFaultTests {
    @Test(arguments: PlantedFault.allCases)
    func isFoundWithinAThousandSeeds(fault: PlantedFault) {
      var found: (seed: UInt64, violation: String)?
      for seed in UInt64(1)...1000 where found == nil {
        PlantedFault.$current.withValue(fault) {
          let simulation = Simulation(seed: seed)
          simulation.run()
          if let violation = simulation.violation { found = (seed, violation) }
        }
      }
      #expect(found != nil, "\(fault) survived")
      if let found { print("\(fault): seed \(found.seed): \(found.violation)") }
    }
  }
#endif
