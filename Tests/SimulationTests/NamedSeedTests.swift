import Testing

/// Seeds that once broke a promise, each with what it found.
@Suite struct NamedSeedTests {
  private func keepsThePromises(_ seed: UInt64) {
    let simulation = Simulation(seed: seed)
    simulation.run()
    if let violation = simulation.violation { Issue.record("\(report(seed, violation))") }
  }

  @Test func aReturnedRequestThatIsCancelledLeavesNoPlaceInFront() {
    keepsThePromises(401)
  }

  @Test func aProbeWaitsForTheRetryAfterOfAnotherDial() {
    keepsThePromises(972)
  }

  @Test(arguments: [753, 1189, 1258, 1390, 1716] as [UInt64])
  func aReplacementThatCameTooLateGivesItsPlaceBack(seed: UInt64) {
    keepsThePromises(seed)
  }

  @Test(arguments: [1039, 2109, 3227, 11112] as [UInt64])
  func aLastLineCountsTheNoticesOfAnEarlierConnection(seed: UInt64) {
    keepsThePromises(seed)
  }

  @Test(arguments: [113, 193, 1530, 3013] as [UInt64])
  func aLateEventFromBeforeTheLastResponseReachesNobody(seed: UInt64) {
    keepsThePromises(seed)
  }

  @Test func aHalfClosedClientIsClosedAfterAllItsLastLines() {
    keepsThePromises(1_018_685)
  }

  @Test(arguments: [14120, 15672, 16479, 19301, 21169, 21794, 26372, 27745] as [UInt64])
  func halfClosedClientsAndLateEventsAreHandledOnce(seed: UInt64) {
    keepsThePromises(seed)
  }
}
