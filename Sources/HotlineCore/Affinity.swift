import DequeModule

/// A dictionary that forgets its least recently set entry when it is full.
struct BoundedMemory<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var entries: [Key: (value: Value, stamp: UInt64)] = [:]
  /// Keys in the order they were set; an entry whose stamp is newer stands again further on.
  private var order: Deque<(key: Key, stamp: UInt64)> = []
  private var stamps: UInt64 = 0
  private let countMax: Int

  init(countMax: Int) {
    self.countMax = countMax
  }

  var count: Int { entries.count }

  subscript(key: Key) -> Value? { entries[key]?.value }

  mutating func set(_ key: Key, to value: Value) {
    guard countMax > 0 else { return }
    stamps += 1
    entries[key] = (value, stamps)
    order.append((key, stamps))
    while entries.count > countMax, let oldest = order.popFirst() {
      if entries[oldest.key]?.stamp == oldest.stamp { entries[oldest.key] = nil }
    }
    if order.count > 2 * countMax + 16 {
      order.removeAll { entries[$0.key]?.stamp != $0.stamp }
    }
  }

  mutating func forget(_ key: Key) {
    entries[key] = nil
  }
}

/// Bounded memory of which connection can continue which response or conversation.
///
/// Everything is kept per uid: no user continues what another user began.
struct Affinity: Sendable {
  struct ResponseKey: Hashable, Sendable {
    var uid: UInt32
    var response: ByteString
  }

  struct ConversationKey: Hashable, Sendable {
    var uid: UInt32
    var conversation: ByteString
  }

  private var responses: BoundedMemory<ResponseKey, ConnectionNumber>
  private var conversations: BoundedMemory<ConversationKey, ConnectionNumber>

  init(entriesMax: Int) {
    responses = BoundedMemory(countMax: entriesMax)
    conversations = BoundedMemory(countMax: entriesMax)
  }

  /// The connection that made a response; it may be gone by now.
  func connection(ofResponse key: ResponseKey) -> ConnectionNumber? {
    responses[key]
  }

  /// The connection that last served a conversation; it may be gone by now.
  func connection(ofConversation key: ConversationKey) -> ConnectionNumber? {
    conversations[key]
  }

  mutating func responseMade(_ key: ResponseKey, on connection: ConnectionNumber) {
    responses.set(key, to: connection)
  }

  mutating func conversationServed(_ key: ConversationKey, on connection: ConnectionNumber) {
    conversations.set(key, to: connection)
  }

  /// A continuation that ended in an error evicts the response it referred to, as servers do.
  mutating func responseEvicted(_ key: ResponseKey) {
    responses.forget(key)
  }
}
