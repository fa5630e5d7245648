import HotlineSimulation
import Testing

/// Seeds that each show a mistake that is easily made.
///
/// Each is planted again under the name given; `contrib/simulate --seed N --fault NAME` tells how
/// the run goes with it. A change to what a world draws, or to what the core decides, gives a seed
/// another run: then `contrib/simulate --fault NAME` finds the seed to stand here.
@Suite struct NamedSeedTests {
  private func keepsThePromises(_ seed: UInt64) {
    let simulation = Simulation(seed: seed)
    simulation.run()
    if let violation = simulation.violation {
      Issue.record("\(Failure(seed: seed, violation: violation).report)")
    }
  }

  /// `probesBeforeRetryAfter`
  @Test func aProbeWaitsForTheRetryAfterOfAnotherDial() {
    keepsThePromises(972)
  }

  /// `keepsWhatIsTooMany`
  @Test func aReplacementThatCameTooLateGivesItsPlaceBack() {
    keepsThePromises(146)
  }

  /// `forgetsEarlierNotices`
  @Test func aLastLineCountsTheNoticesOfAnEarlierConnection() {
    keepsThePromises(621)
  }

  /// `remembersOneResponse`
  @Test func aLateEventFromBeforeTheLastResponseReachesNobody() {
    keepsThePromises(516)
  }

  /// `closesBetweenTwoAnswers`
  @Test func aClientThatAskedForTwoDrainsIsClosedAfterBothAnswers() {
    keepsThePromises(256)
  }

  /// `forgetsWhatPrefersAConnection`
  @Test func whatPrefersAConnectionGoesOnThereWhenOthersHadTheirTurn() {
    keepsThePromises(109)
  }

  /// `continuesOnARetiringConnection`
  @Test func aContinuationThatComesAfterAReloadIsNotSentOnAnOldConnection() {
    keepsThePromises(402)
  }

  /// `asksForLanesAgainAfterARefusal`
  @Test func aServerThatRefusesLanesIsNotAskedAgainThoughItsErrorIsPassedOn() {
    keepsThePromises(8)
  }
}
