import Testing

@testable import HotlineCore

/// A connection is lost: what killed it may have killed its siblings without a word, so what comes
/// back from it goes only where the server has been heard since.
@Suite struct BrokerSuspicionTests {
  /// Two connections; `a` was sent on the first, and the second has been quiet for three seconds.
  private func running(max: Int = 2, resends: Bool = true) -> BrokerFixture {
    let limits = Limits.with { $0.queuedNoticeAfter = .seconds(60) }
    var fixture = BrokerFixture.warm(clients: 2, limits: limits) {
      $0.connectionsWarm = 2
      $0.connectionsMax = max
      $0.probeTimeout = .milliseconds(500)
    }
    fixture.ask("a", at: 1_000) { $0.resendsUnanswered = resends }
    fixture.handedOver(1)
    return fixture
  }

  @Test func aQuietSiblingIsAskedBeforeItGetsWhatWasLost() {
    var fixture = running()
    #expect(
      fixture.closed(1, .reset, at: 3_000) == [.sendPing(2, id: 1), .dial(3, 0)])
    #expect(fixture.pong(2, id: 1, at: 3_040) == [.send(1, on: 2, lane: nil)])
  }

  @Test func whatIsOpenedMeanwhileIsAsGood() {
    var fixture = running()
    fixture.closed(1, .reset, at: 3_000)
    #expect(fixture.opened(3, at: 3_020) == [.send(1, on: 3, lane: nil)])
    #expect(fixture.pong(2, id: 1, at: 3_040) == [])
  }

  @Test func twoStaleConnectionsDoNotCostTheOneResend() {
    var fixture = running()
    fixture.closed(1, .reset, at: 3_000)
    // The sibling is dead too, which its silence shows, and no request is spent on it.
    #expect(fixture.closed(2, .reset, at: 3_010) == [.dial(4, 0)])
    #expect(fixture.opened(3, at: 3_020) == [.send(1, on: 3, lane: nil)])
    fixture.handedOver(1)
    let end = fixture.event(.ended(.completed, "r1"), on: 3, at: 3_030)
    #expect(
      end.contains(
        .finish(
          1, nil,
          done(
            .completed, on: 3, reused: false, resent: true, response: "r1", queued: 2_020,
            firstEvent: 2_030, total: 2_030, events: 1))))
  }

  @Test func aSiblingThatDoesNotAnswerIsClosedSoon() {
    var fixture = running()
    fixture.closed(1, .reset, at: 3_000)
    #expect(fixture.pass(to: 3_499) == [])
    #expect(fixture.pass(to: 3_500) == [.closeConnection(2, .pongTimeout), .dial(4, 0)])
  }

  @Test func onlyTheFirstSignOfLifeIsNews() {
    var fixture = running(max: 3)
    fixture.heard(2, at: 2_999)
    #expect(!fixture.isSignAwaited)
    fixture.closed(1, .reset, at: 3_000)
    fixture.heard(2, at: 3_010)
    #expect(fixture.isSignAwaited)
    fixture.heard(2, at: 3_011)
    #expect(!fixture.isSignAwaited)
  }

  @Test func whatWasHeardAtTheInstantOfTheLossIsBelieved() {
    var fixture = running()
    fixture.heard(2, at: 3_000)
    #expect(fixture.closed(1, .reset) == [.send(1, on: 2, lane: nil), .dial(3, 0)])
  }

  @Test func aSiblingThatIsAskedAlreadyIsNotAskedAgain() {
    var fixture = running()
    #expect(fixture.networkChanged(at: 2_990) == [.sendPing(1, id: 1), .sendPing(2, id: 1)])
    #expect(fixture.closed(1, .reset, at: 3_000) == [.dial(3, 0)])
    #expect(fixture.pong(2, id: 1, at: 3_010) == [.send(1, on: 2, lane: nil)])
  }

  @Test func aPingWhoseAnswerMayTakeLongerIsFollowedByAnother() {
    var fixture = running()
    #expect(fixture.pass(to: 25_000).contains(.sendPing(2, id: 1)))
    #expect(fixture.closed(1, .reset, at: 25_100) == [.sendPing(2, id: 2), .dial(3, 0)])
    #expect(fixture.pass(to: 25_600).contains(.closeConnection(2, .pongTimeout)))
  }

  @Test func whatNobodyWaitsForIsNotAsked() {
    var fixture = running(resends: false)
    let actions = fixture.closed(1, .reset, at: 3_000)
    #expect(actions.last == .dial(3, 0))
    #expect(actions.count == 2)
  }

  @Test func othersNeedNotWaitForASignOfLife() {
    var fixture = running()
    fixture.closed(1, .reset, at: 3_000)
    // What has not been sent yet loses nothing but its turn.
    #expect(
      fixture.ask("b", from: 2) == [.accept(2, madeID: nil), .send(2, on: 2, lane: nil)])
    #expect(fixture.opened(3, at: 3_020) == [.send(1, on: 3, lane: nil)])
  }

  @Test func aServerThatBreaksTheProtocolIsAlive() {
    var fixture = running()
    let actions = fixture.event(.unusable, on: 1, at: 3_000)
    #expect(!actions.contains(.sendPing(2, id: 1)))
  }

  @Test func anythingHeardIsASignOfLife() {
    var fixture = running()
    fixture.heard(2, at: 2_000)
    #expect(!fixture.isSignAwaited)
    fixture.closed(1, .reset, at: 3_000)
    fixture.heard(2, at: 3_010)
    #expect(fixture.isSignAwaited)
    #expect(fixture.deadline(at: 3_010) == [.send(1, on: 2, lane: nil)])
    fixture.heard(2, at: 3_020)
    #expect(!fixture.isSignAwaited)
  }

  @Test func anEventIsASignOfLifeAsWell() {
    var fixture = running()
    fixture.ask("b", from: 2)
    fixture.handedOver(2)
    fixture.closed(1, .reset, at: 3_000)
    fixture.heard(2, at: 3_005)
    #expect(fixture.event(.ended(.completed, "r2"), on: 2).last == .send(1, on: 2, lane: nil))
  }
}
