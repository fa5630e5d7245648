import Testing

@testable import HotlineCore

@Suite struct DeadlineQueueTests {
  var queue = DeadlineQueue()

  @Test mutating func anEmptyQueueHasNoDeadline() {
    #expect(queue.nextDeadline == nil)
    #expect(queue.popDue(at: t(1_000_000)) == nil)
    queue.cancel(1)
  }

  @Test mutating func whatIsDueComesOutEarliestFirstAndOnce() {
    queue.schedule(1, at: t(30))
    queue.schedule(2, at: t(10))
    queue.schedule(3, at: t(20))
    #expect(queue.nextDeadline == t(10))
    #expect(queue.popDue(at: t(9)) == nil)
    #expect(queue.popDue(at: t(20)) == 2)
    #expect(queue.popDue(at: t(20)) == 3)
    #expect(queue.popDue(at: t(20)) == nil)
    #expect(queue.popDue(at: t(30)) == 1)
    #expect(queue.nextDeadline == nil)
  }

  @Test mutating func equalDeadlinesComeInTheOrderOfTheRequests() {
    queue.schedule(2, at: t(10))
    queue.schedule(1, at: t(10))
    #expect(queue.popDue(at: t(10)) == 1)
    #expect(queue.popDue(at: t(10)) == 2)
  }

  @Test mutating func onlyTheLatestDeadlineOfARequestCounts() {
    queue.schedule(1, at: t(10))
    queue.schedule(1, at: t(30))
    #expect(queue.popDue(at: t(29)) == nil)
    #expect(queue.nextDeadline == t(30))
    queue.schedule(1, at: t(20))
    #expect(queue.popDue(at: t(20)) == 1)
    #expect(queue.popDue(at: t(99)) == nil)
  }

  @Test mutating func goingBackToAnEarlierDeadlineGivesItOnce() {
    queue.schedule(1, at: t(10))
    queue.schedule(1, at: t(30))
    queue.schedule(1, at: t(10))
    #expect(queue.popDue(at: t(40)) == 1)
    #expect(queue.popDue(at: t(40)) == nil)
  }

  @Test mutating func aCancelledDeadlineNeverComes() {
    queue.schedule(1, at: t(10))
    queue.schedule(2, at: t(20))
    queue.cancel(1)
    #expect(queue.popDue(at: t(30)) == 2)
    #expect(queue.popDue(at: t(30)) == nil)
    queue.schedule(3, at: t(40))
    queue.cancel(3)
    #expect(queue.nextDeadline == nil)
  }

  @Test mutating func manyChangesKeepTheOneDeadline() {
    for round in 0..<1_000 { queue.schedule(1, at: t(10_000 - round)) }
    queue.schedule(2, at: t(5))
    #expect(queue.popDue(at: t(20_000)) == 2)
    #expect(queue.popDue(at: t(20_000)) == 1)
    #expect(queue.popDue(at: t(20_000)) == nil)
  }
}
