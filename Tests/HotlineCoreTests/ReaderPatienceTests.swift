import Testing

@testable import HotlineCore

@Suite struct ReaderPatienceTests {
  private let limits = Limits.with { $0.bufferBytesMax = 100 }

  /// One in the given state.
  private func patience(_ state: ReaderPatience.State) -> ReaderPatience {
    var patience = ReaderPatience()
    if state != .fresh { _ = count(100, &patience) }
    if state == .holding || state == .spent { _ = patience.readEnded() }
    if state == .spent { patience.timeRanOut() }
    return patience
  }

  private func count(
    _ unread: Int, isAlone: Bool = true, isOverMemory: Bool = false,
    _ patience: inout ReaderPatience
  ) -> Int {
    patience.unreadBytes(unread, isAlone: isAlone, isOverMemory: isOverMemory, limits: limits)
  }

  @Test(arguments: ReaderPatience.State.allCases) func whatFitsCountsAsItIs(
    in state: ReaderPatience.State
  ) {
    var patience = patience(state)
    #expect(count(99, &patience) == 99)
    #expect(count(0, isOverMemory: true, &patience) == 0)
    #expect(patience.state == state)
  }

  @Test(arguments: ReaderPatience.State.allCases) func besideOthersNobodyHasPatience(
    in state: ReaderPatience.State
  ) {
    var patience = patience(state)
    #expect(count(100, isAlone: false, &patience) == 100)
    #expect(
      count(1, isAlone: false, isOverMemory: true, &patience) == Broker.unreadBytesOverMemory)
    #expect(patience.state == state)
  }

  @Test(
    arguments: [
      (.fresh, 0, .wanted), (.wanted, 0, .wanted), (.holding, 0, .holding), (.spent, 100, .spent),
    ] as [(ReaderPatience.State, Int, ReaderPatience.State)])
  func whatIsTooMuchCountsWhenPatienceIsSpent(
    before: ReaderPatience.State, counted: Int, after: ReaderPatience.State
  ) {
    var patience = patience(before)
    #expect(count(100, &patience) == counted)
    #expect(patience.state == after)
  }

  @Test func overTheLimitOfMemoryAnythingUnreadIsTooMuch() {
    var spent = patience(.spent)
    #expect(count(1, isOverMemory: true, &spent) == Broker.unreadBytesOverMemory)
    var fresh = patience(.fresh)
    #expect(count(1, isOverMemory: true, &fresh) == 0)
    #expect(fresh.state == .wanted)
  }

  @Test(arguments: ReaderPatience.State.allCases) func aServerIsHeldUpAtTheEndOfTheReadThatWantsIt(
    in state: ReaderPatience.State
  ) {
    var patience = patience(state)
    #expect(patience.readEnded() == (state == .wanted))
    #expect(patience.state == (state == .wanted ? .holding : state))
  }

  @Test(arguments: ReaderPatience.State.allCases) func timeRunsOutForWhoIsHeldUp(
    in state: ReaderPatience.State
  ) {
    var patience = patience(state)
    patience.timeRanOut()
    #expect(patience.state == (state == .holding ? .spent : state))
  }

  @Test(arguments: ReaderPatience.State.allCases) func whoHasCaughtUpFindsPatienceAgain(
    in state: ReaderPatience.State
  ) {
    var patience = patience(state)
    #expect(patience.released() == (state == .holding))
    #expect(patience.state == .fresh)
  }

  @Test(arguments: [(200, 100), (10_000, 5_000), (60_000, 5_000)])
  func aPongStillComesInTime(pongTimeout: Int, holdTime: Int) {
    #expect(
      ReaderPatience.holdTime(pongTimeout: .milliseconds(pongTimeout)) == .milliseconds(holdTime))
  }
}
