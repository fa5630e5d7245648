import Testing

@testable import HotlineCore

@Suite struct ConnectionTableTests {
  var table = ConnectionTable()

  /// One of each state but gone, and whether it counts as dialing, ready and retiring.
  private static let states: [(UpstreamConnection.State, [Int])] = [
    (.dialing, [1, 0, 0]), (.ready, [0, 1, 0]), (.retiring(.ageLimit), [0, 0, 1]),
    (.closing, [0, 0, 0]),
  ]

  private func connection(
    _ number: UInt64, _ state: UpstreamConnection.State = .dialing
  ) -> UpstreamConnection {
    var connection = UpstreamConnection(
      number: ConnectionNumber(number), lanes: 1, jitter: 0, at: t(0))
    connection.state = state
    return connection
  }

  private var counts: [Int] { [table.dialingCount, table.readyCount, table.retiringCount] }

  /// The counts as the connections themselves have them.
  private var countedAgain: [Int] {
    table.all.reduce(into: [0, 0, 0]) { counts, connection in
      switch connection.state {
      case .dialing: counts[0] += 1
      case .ready: counts[1] += 1
      case .retiring: counts[2] += 1
      case .closing: break
      }
    }
  }

  @Test func anEmptyTableHasNothing() {
    #expect(table.count == 0)
    #expect(table.livingCount == 0)
    #expect(table.numbers == [])
    #expect(table[1] == nil)
  }

  @Test(arguments: states, states)
  mutating func everyChangeOfStateIsCounted(
    before: (UpstreamConnection.State, [Int]), after: (UpstreamConnection.State, [Int])
  ) {
    table[1] = connection(1, before.0)
    #expect(counts == before.1)
    table[1]?.state = after.0
    #expect(counts == after.1)
    #expect(table.count == 1)
    #expect(table.openCount == after.1[1] + after.1[2])
    #expect(table.livingCount == after.1.reduce(0, +))
    #expect(table[1]?.state == after.0)
  }

  @Test(arguments: states)
  mutating func whatIsRemovedCountsNoMore(state: (UpstreamConnection.State, [Int])) {
    table[1] = connection(1, state.0)
    table[1] = nil
    #expect(counts == [0, 0, 0])
    #expect(table.count == 0)
    #expect(table[1] == nil)
    #expect(table.numbers == [])
  }

  @Test(arguments: states, states)
  mutating func whatIsReplacedCountsAsItIsNow(
    before: (UpstreamConnection.State, [Int]), after: (UpstreamConnection.State, [Int])
  ) {
    table[1] = connection(1, before.0)
    table[1] = connection(1, after.0)
    #expect(counts == after.1)
    #expect(table.count == 1)
  }

  @Test mutating func whatIsNotThereCannotBeChangedOrRemoved() {
    table[7]?.state = .ready
    table[7] = nil
    let changed: Void? = table.change(7) { $0.isProven = true }
    #expect(changed == nil)
    #expect(table.count == 0)
  }

  @Test mutating func aChangeThatCountsForNothingIsMadeInPlace() {
    table[1] = connection(1, .ready)
    let served = table.change(1) { connection -> Int in
      connection.isProven = true
      return connection.lanes.count
    }
    #expect(served == 1)
    #expect(table[1]?.isProven == true)
    #expect(counts == [0, 1, 0])
  }

  @Test mutating func aChangeOfOneThatIsRemovedIsNotMade() {
    table[1] = connection(1)
    table[2] = connection(2)
    table[1] = nil
    let changed: Void? = table.change(1) { $0.isProven = true }
    #expect(changed == nil)
  }

  @Test mutating func theyAreInTheOrderOfDialling() {
    for number in [1, 3, 5, 9] as [UInt64] {
      table[ConnectionNumber(number)] = connection(number)
    }
    #expect(table.numbers == [1, 3, 5, 9])
    table[3] = nil
    #expect(table.numbers == [1, 5, 9])
    #expect(table.all.map(\.number) == [1, 5, 9])
  }

  @Test mutating func manyThatComeAndGoLeaveTheRestFindable() {
    let kept: [ConnectionNumber] = [1, 50, 99]
    for number in 1...100 as ClosedRange<UInt64> {
      let state = Self.states[Int(number) % Self.states.count].0
      table[ConnectionNumber(number)] = connection(number, state)
    }
    for number in 1...100 as ClosedRange<UInt64> {
      let number = ConnectionNumber(number)
      if !kept.contains(number) { table[number] = nil }
      #expect(counts == countedAgain)
    }
    #expect(table.numbers == kept)
    for number in kept { #expect(table[number]?.number == number) }
    table[101] = connection(101)
    #expect(table.numbers == kept + [101])
    #expect(table[101]?.state == .dialing)
  }
}
