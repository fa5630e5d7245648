import DequeModule
import Testing

@testable import HotlineCore

@Suite struct RequestQueueTests {
  var queue = RequestQueue(interactiveWeight: 2)

  private mutating func add(
    _ numbers: ClosedRange<UInt64>, of client: ClientNumber, _ priority: Priority = .interactive
  ) {
    for number in numbers { queue.add(RequestNumber(number), of: client, priority: priority) }
  }

  private mutating func drained() -> [UInt64] {
    var numbers: [UInt64] = []
    while let request = queue.popFirst() { numbers.append(request.rawValue) }
    return numbers
  }

  @Test mutating func anEmptyQueueHasNothing() {
    #expect(queue.isEmpty)
    #expect(queue.popFirst() == nil)
    #expect(queue.remove(1) == false)
  }

  @Test mutating func oneClientsRequestsComeInTheirOrder() {
    add(1...4, of: 1)
    #expect(queue.count == 4)
    #expect(drained() == [1, 2, 3, 4])
    #expect(queue.isEmpty)
  }

  @Test mutating func clientsTakeTurns() {
    add(1...4, of: 1)
    add(11...12, of: 2)
    add(21...21, of: 3)
    #expect(drained() == [1, 11, 21, 2, 12, 3, 4])
  }

  @Test mutating func aFloodDelaysAnotherClientByOneResponse() {
    add(1...500, of: 1)
    #expect(queue.popFirst() == 1)
    queue.add(501, of: 2, priority: .interactive)
    #expect(queue.popFirst() == 2)
    #expect(queue.popFirst() == 501)
  }

  @Test mutating func batchWaitsForInteractiveButIsNeverStarved() {
    add(1...6, of: 1, .batch)
    add(11...15, of: 2)
    #expect(drained() == [11, 12, 1, 13, 14, 2, 15, 3, 4, 5, 6])
  }

  @Test mutating func batchAloneGoesAtOnceAndEarnsNoCredit() {
    add(1...3, of: 1)
    #expect(drained() == [1, 2, 3])
    queue.add(4, of: 1, priority: .batch)
    add(11...13, of: 2)
    #expect(drained() == [11, 12, 4, 13])
  }

  @Test mutating func aRequestThatLeftIsSkipped() {
    add(1...3, of: 1)
    #expect(queue.remove(2) == true)
    #expect(queue.remove(2) == false)
    #expect(queue.count == 2)
    #expect(drained() == [1, 3])
  }

  @Test mutating func aBatchRequestThatLeftIsSkipped() {
    add(1...3, of: 1, .batch)
    #expect(queue.remove(1) == true)
    add(11...12, of: 2)
    #expect(drained() == [11, 12, 2, 3])
  }

  @Test mutating func aServedRequestCannotBeRemoved() {
    add(1...2, of: 1)
    #expect(queue.popFirst() == 1)
    #expect(queue.remove(1) == false)
    #expect(queue.count == 1)
  }

  @Test mutating func manyDeparturesLeaveNoTrace() {
    add(1...1_000, of: 1)
    add(1_001...2_000, of: 2, .batch)
    for number in 1...2_000 where number != 700 && number != 1_500 {
      #expect(queue.remove(RequestNumber(UInt64(number))) == true)
    }
    #expect(queue.count == 2)
    #expect(drained() == [700, 1_500])
    #expect(queue.popFirst() == nil)
  }

  @Test mutating func aRequestThatLeftTakesNoTurnOfItsClient() {
    add(1...3, of: 1)
    add(11...14, of: 2)
    queue.remove(1)
    queue.remove(2)
    #expect(drained() == [3, 11, 12, 13, 14])
  }

  @Test mutating func aClientWhoseRequestsAllLeftHoldsUpNobody() {
    add(1...3, of: 1)
    add(11...12, of: 2)
    for number in 1...3 as ClosedRange<UInt64> { queue.remove(RequestNumber(number)) }
    #expect(queue.popFirst() == 11)
    add(4...4, of: 1)
    #expect(drained() == [12, 4])
  }

  @Test mutating func whatComesBackIsKeptApartInTheOrderItCame() {
    add(1...2, of: 1)
    add(21...21, of: 3, .batch)
    queue.add(31, of: 2, priority: .interactive, atFront: true)
    queue.add(32, of: 3, priority: .batch, atFront: true)
    #expect(queue.count == 5)
    #expect(queue.returned == [31, 32])
    #expect(drained() == [1, 2, 21])
    #expect(!queue.hasNew)
    #expect(!queue.isEmpty)
  }

  @Test mutating func whatComesBackMayLeave() {
    add(1...2, of: 1)
    queue.add(31, of: 2, priority: .batch, atFront: true)
    #expect(queue.remove(31) == true)
    #expect(queue.remove(31) == false)
    #expect(queue.count == 2)
    #expect(drained() == [1, 2])
    #expect(queue.isEmpty)
  }

  @Test mutating func itIsKnownWhetherAnInteractiveRequestWaits() {
    #expect(!queue.hasInteractive)
    add(21...21, of: 3, .batch)
    queue.add(31, of: 2, priority: .interactive, atFront: true)
    #expect(!queue.hasInteractive)
    add(1...1, of: 1)
    #expect(queue.hasInteractive)
    queue.remove(1)
    #expect(!queue.hasInteractive)
  }
}
