import Testing

@testable import HotlineCore

@Suite struct UpstreamConnectionTests {
  let limits = UpstreamLimits()

  private func connection(
    _ state: UpstreamConnection.State, jitter: Double = 0
  ) -> UpstreamConnection {
    var connection = UpstreamConnection(number: 1, lanes: 1, jitter: jitter, at: t(0))
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
    #expect(connection.openFreeLane == (isOpen ? 0 : nil))
  }

  @Test func theLimitsCountFromTheOpening() {
    let connection = connection(.ready)
    #expect(connection.ageEnd(limits) == t(1_000 + 55 * 60_000))
    #expect(connection.idleEnd(limits) == t(1_000 + 14 * 60_000))
    #expect(connection.rotateAt(limits) == t(1_000 + 14 * 60_000 - 30_000))
    #expect(connection.marginAt(limits) == t(1_000 + 50 * 60_000))
    #expect(connection.endReason(limits) == .idleLimit)
  }

  @Test func jitterTakesAtMostAFortiethOffTheLimits() {
    let connection = connection(.ready, jitter: 1)
    #expect(connection.ageEnd(limits) == t(1_000 + 55 * 60_000 * 975 / 1_000))
    #expect(connection.idleEnd(limits) == t(1_000 + 14 * 60_000 * 975 / 1_000))
  }

  @Test func shortLimitsHaveShortLeads() {
    var limits = limits
    limits.idleLimit = .seconds(10)
    limits.ageLimit = .seconds(60)
    let connection = connection(.ready)
    #expect(connection.rotateAt(limits) == t(10_000))
    #expect(connection.marginAt(limits) == t(55_000))
    limits.idleLimit = .seconds(600)
    #expect(connection.rotateAt(limits) == t(55_000))
    #expect(connection.endReason(limits) == .ageLimit)
  }

  @Test func anAgeMarginBelowItsCapCountsAsItIs() {
    var limits = limits
    limits.ageMargin = .seconds(1)
    #expect(connection(.ready).marginAt(limits) == t(55 * 60_000))
  }

  @Test func activityMovesTheIdleLimitOnly() {
    var connection = connection(.ready)
    connection.laneFreed(0, running(), at: t(600_000))
    #expect(connection.idleEnd(limits) == t(600_000 + 14 * 60_000))
    #expect(connection.ageEnd(limits) == t(1_000 + 55 * 60_000))
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
    connection.laneFreed(0, running(), at: t(2_000))
    #expect(connection.freeLane == 0)
    #expect(connection.isIdle)
  }

  @Test func aLaneRemembersItsLatestNamedResponse() {
    var connection = connection(.ready)
    #expect(connection.chainAt == nil)
    connection.laneFreed(0, running("r1"), at: t(2_000))
    #expect(connection.lanes[0].lastResponseID == "r1")
    #expect(connection.chainAt == t(2_000))
    connection.laneFreed(0, running(), at: t(3_000))
    #expect(connection.lanes[0].lastResponseID == "r1")
    #expect(connection.chainAt == t(2_000))
  }

  @Test func aLaneRemembersSixtyFourResponsesToTellLateEvents() {
    var lane = Lane()
    for number in 1...65 { lane.freed(by: ByteString("r\(number)".utf8), at: t(number)) }
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
