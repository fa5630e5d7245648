import Testing

@testable import HotlineCore

@Suite struct BoundedMemoryTests {
  var memory = BoundedMemory<Int, String>(countMax: 2)

  @Test mutating func itRemembersUpToItsLimitAndForgetsTheOldest() {
    memory.set(1, to: "a")
    memory.set(2, to: "b")
    #expect(memory[1] == "a")
    #expect(memory[2] == "b")
    memory.set(3, to: "c")
    #expect(memory.count == 2)
    #expect(memory[1] == nil)
    #expect(memory[2] == "b")
    #expect(memory[3] == "c")
  }

  @Test mutating func settingAgainMakesYoung() {
    memory.set(1, to: "a")
    memory.set(2, to: "b")
    memory.set(1, to: "A")
    memory.set(3, to: "c")
    #expect(memory[1] == "A")
    #expect(memory[2] == nil)
    #expect(memory.count == 2)
  }

  @Test mutating func readingDoesNotMakeYoung() {
    memory.set(1, to: "a")
    memory.set(2, to: "b")
    _ = memory[1]
    memory.set(3, to: "c")
    #expect(memory[1] == nil)
  }

  @Test mutating func whatIsForgottenMakesRoom() {
    memory.set(1, to: "a")
    memory.set(2, to: "b")
    memory.forget(1)
    memory.forget(9)
    memory.set(3, to: "c")
    #expect(memory[2] == "b")
    #expect(memory[3] == "c")
    memory.set(1, to: "again")
    #expect(memory[2] == nil)
    #expect(memory[1] == "again")
  }

  @Test mutating func oneKeySetOftenPushesNobodyOut() {
    memory.set(1, to: "a")
    for round in 0..<1_000 { memory.set(2, to: "\(round)") }
    #expect(memory[1] == "a")
    #expect(memory[2] == "999")
  }

  @Test mutating func aSmallerLimitForgetsTheOldestAtOnce() {
    memory.set(1, to: "a")
    memory.set(2, to: "b")
    memory.limit(to: 1)
    #expect(memory[1] == nil)
    #expect(memory[2] == "b")
    memory.limit(to: 2)
    memory.set(3, to: "c")
    #expect(memory[2] == "b")
    #expect(memory[3] == "c")
  }

  @Test func aMemoryOfNothingRemembersNothing() {
    var nothing = BoundedMemory<Int, Int>(countMax: 0)
    nothing.set(1, to: 1)
    #expect(nothing[1] == nil)
    #expect(nothing.count == 0)
  }
}

@Suite struct AffinityTests {
  var affinity = Affinity(entriesMax: 2)
  let place = Affinity.Place(connection: 7, lane: 2)

  private func response(_ id: ByteString, uid: UInt32 = 1000) -> Affinity.ResponseKey {
    Affinity.ResponseKey(uid: uid, response: id)
  }

  @Test mutating func aResponseBelongsToItsConnectionAndItsUser() {
    affinity.responseMade(response("a"), at: place, isStored: true)
    #expect(affinity.origin(of: response("a"))?.place == place)
    #expect(affinity.origin(of: response("b")) == nil)
    #expect(affinity.origin(of: response("a", uid: 0)) == nil)
  }

  @Test mutating func anEvictedResponseIsForgotten() {
    affinity.responseMade(response("a"), at: place, isStored: true)
    affinity.responseEvicted(response("a"))
    #expect(affinity.origin(of: response("a")) == nil)
  }

  @Test mutating func responsesAndConversationsHaveTheirOwnRoom() {
    let key = Affinity.ConversationKey(uid: 1000, conversation: "c")
    affinity.served(.conversation(key), on: 3)
    for id in ["a", "b", "c"] as [ByteString] {
      affinity.responseMade(response(id), at: place, isStored: true)
    }
    #expect(affinity.connection(for: .conversation(key)) == 3)
    #expect(affinity.origin(of: response("a")) == nil)
    #expect(affinity.origin(of: response("c"))?.place == place)
  }

  @Test mutating func aConversationMovesToTheConnectionThatServedItLast() {
    let key = Affinity.ConversationKey(uid: 1000, conversation: "c")
    affinity.served(.conversation(key), on: 3)
    affinity.served(.conversation(key), on: 4)
    #expect(affinity.connection(for: .conversation(key)) == 4)
    let other = Affinity.ConversationKey(uid: 0, conversation: "c")
    #expect(affinity.connection(for: .conversation(other)) == nil)
  }
}
