import Testing

@testable import HotlineCore

@Suite struct UpstreamConnectionTests {
  let limits = UpstreamLimits()

  private func connection(
    _ state: UpstreamConnection.State, jitter: Double = 0, limits: UpstreamLimits? = nil,
    lanes: Int = 1
  ) -> UpstreamConnection {
    let limits = limits ?? self.limits
    var connection = UpstreamConnection(number: 1, lanes: lanes, jitter: jitter, at: t(0))
    if state != .dialing { connection.opened(limits, at: t(1_000)) }
    connection.state = state
    return connection
  }

  private func running(_ id: ByteString? = nil) -> Lane.Running {
    var running = Lane.Running(request: 1, client: 1, filter: .all)
    running.responseID = id
    return running
  }

  @Test(arguments: [
    (UpstreamConnection.State.dialing, false, false), (.ready, true, true),
    (.retiring(.ageLimit), false, true), (.closing, false, false),
  ])
  func onlyAnOpenConnectionTakesRequests(
    state: UpstreamConnection.State, isReady: Bool, isOpen: Bool
  ) {
    let connection = connection(state)
    #expect(connection.isReady == isReady)
    #expect(connection.isOpen == isOpen)
    #expect(connection.continues(on: 0) == isOpen)
    #expect(connection.canContinue(on: 0) == isOpen)
  }

  @Test func theLimitsCountFromTheOpening() {
    let connection = connection(.ready)
    #expect(connection.ages.ageEnd == t(1_000 + 55 * 60_000))
    #expect(connection.ages.idleEnd == t(1_000 + 14 * 60_000))
    #expect(connection.ages.rotateAt == t(1_000 + 14 * 60_000 - 30_000))
    #expect(connection.ages.marginAt == t(1_000 + 50 * 60_000))
    #expect(connection.ages.endReason == .idleLimit)
  }

  @Test func jitterTakesAtMostAFortiethOffTheLimits() {
    let connection = connection(.ready, jitter: 1)
    #expect(connection.ages.ageEnd == t(1_000 + 55 * 60_000 * 975 / 1_000))
    #expect(connection.ages.idleEnd == t(1_000 + 14 * 60_000 * 975 / 1_000))
  }

  @Test func shortLimitsHaveShortLeads() {
    var limits = limits
    limits.idleLimit = .seconds(10)
    limits.ageLimit = .seconds(60)
    var connection = connection(.ready, limits: limits)
    #expect(connection.ages.rotateAt == t(10_000))
    #expect(connection.ages.marginAt == t(55_000))
    limits.idleLimit = .seconds(600)
    connection.apply(limits)
    #expect(connection.ages.rotateAt == t(55_000))
    #expect(connection.ages.endReason == .ageLimit)
  }

  @Test func anAgeMarginBelowItsCapCountsAsItIs() {
    var limits = limits
    limits.ageMargin = .seconds(1)
    #expect(connection(.ready, limits: limits).ages.marginAt == t(55 * 60_000))
  }

  @Test func activityMovesTheIdleLimitOnly() {
    var connection = connection(.ready)
    connection.lanes[0].state = .busy(running())
    let isServed = connection.responseEnded(
      running(), on: 0, isSpent: false, limits, at: t(600_000))
    #expect(isServed)
    #expect(connection.ages.idleEnd == t(600_000 + 14 * 60_000))
    #expect(connection.ages.ageEnd == t(1_000 + 55 * 60_000))
    #expect(connection.responsesServed == 1)
  }

  @Test func aConnectionSettlesByProofOrByTime() {
    var connection = connection(.ready)
    #expect(connection.isSettled(at: t(2_999)) == false)
    #expect(connection.isSettled(at: t(3_000)))
    connection.isProven = true
    #expect(connection.isSettled(at: t(1_000)))
    #expect(self.connection(.dialing).isSettled(at: t(900_000)) == false)
  }

  @Test func aLaneIsFreeOnlyWhenIdle() {
    var connection = connection(.ready)
    #expect(connection.freeLane == 0)
    connection.lanes[0].state = .busy(running())
    #expect(connection.freeLane == nil)
    #expect(connection.isIdle == false)
    #expect(connection.lanes[0].running == running())
    connection.lanes[0].state = .abandoned(running(), giveUpAt: t(9))
    #expect(connection.freeLane == nil)
    #expect(connection.isIdle == false)
    #expect(connection.lanes[0].running == nil)
    connection.lanes[0].freed(by: nil)
    #expect(connection.freeLane == 0)
    #expect(connection.isIdle)
    connection.lanes[0].bound.append(1)
    #expect(connection.freeLane == nil)
    connection.lanes[0].bound.removeAll()
    connection.lanes[0].state = .spent
    #expect(connection.freeLane == nil)
    #expect(connection.isIdle)
    #expect(connection.continues(on: 0) == false)
  }

  @Test func aLaneRemembersItsLatestNamedResponse() {
    var lane = Lane()
    #expect(lane.lastResponseID == nil)
    lane.freed(by: "r1")
    #expect(lane.lastResponseID == "r1")
    lane.freed(by: nil)
    #expect(lane.lastResponseID == "r1")
  }

  @Test func untilAServerShowsThatItKnowsLanesOneResponseRuns() {
    var connection = connection(.ready, lanes: 3)
    #expect(connection.namesLanes)
    #expect(connection.lanesUsable == 1)
    connection.lanes[0].state = .busy(running())
    #expect(connection.freeLane == nil)
    connection.laneEcho = .present
    #expect(connection.lanesUsable == 3)
    #expect(connection.freeLane == 1)
    connection.laneEcho = .absent
    #expect(connection.namesLanes == false)
    #expect(connection.freeLane == nil)
  }

  @Test func theLaneThatNobodyContinuesIsTakenFirstThenTheOneThatIsLongestQuiet() {
    var connection = connection(.ready, lanes: 4)
    connection.laneEcho = .present
    connection.lanes[0].chainAt = t(3)
    connection.lanes[1].chainAt = t(2)
    #expect(connection.freeLane == 2)
    connection.lanes[2].state = .busy(running())
    connection.lanes[3].state = .spent
    #expect(connection.freeLane == 1)
    connection.lanes[1].bound.append(7)
    #expect(connection.freeLane == 0)
  }

  @Test func aLaneRemembersSixtyFourResponsesToTellLateEvents() {
    var lane = Lane()
    for number in 1...65 { lane.freed(by: ByteString("r\(number)".utf8)) }
    #expect(lane.pastResponseIDs.count == 64)
    #expect(lane.pastResponseIDs.first == "r2")
    #expect(lane.lastResponseID == "r65")
  }

  @Test func whatIsKnownOfARequestDecidesHowFarItWasSent() {
    var running = running()
    #expect(running.sent == .no)
    running.isHandedOver = true
    #expect(running.sent == .unknown)
    running.isAnswered = true
    #expect(running.sent == .yes)
    #expect(HotlineError.Sent.no < .unknown)
    #expect(HotlineError.Sent.unknown < .yes)
  }
}
