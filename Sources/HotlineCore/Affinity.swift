import DequeModule

/// A dictionary that forgets its least recently set entry when it is full.
struct BoundedMemory<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private var entries: [Key: (value: Value, stamp: UInt64)] = [:]
  /// Keys in the order they were set; an entry whose stamp is newer stands again further on.
  private var order: Deque<(key: Key, stamp: UInt64)> = []
  private var stamps: UInt64 = 0
  private(set) var countMax: Int

  init(countMax: Int) {
    self.countMax = countMax
  }

  /// Remembers so many from now on; the oldest of the others are forgotten.
  mutating func limit(to countMax: Int) {
    self.countMax = countMax
    forgetOldest()
  }

  var count: Int { entries.count }

  subscript(key: Key) -> Value? { entries[key]?.value }

  /// - Returns: what it was before.
  @discardableResult
  mutating func set(_ key: Key, to value: Value) -> Value? {
    guard countMax > 0 else { return nil }
    stamps += 1
    let before = entries.updateValue((value, stamps), forKey: key)?.value
    order.append((key, stamps))
    forgetOldest()
    if order.count > 2 * countMax + 16 {
      order.removeAll { entries[$0.key]?.stamp != $0.stamp }
    }
    return before
  }

  mutating func forget(_ key: Key) {
    entries[key] = nil
  }

  private mutating func forgetOldest() {
    while entries.count > countMax, let oldest = order.popFirst() {
      if entries[oldest.key]?.stamp == oldest.stamp { entries[oldest.key] = nil }
    }
  }
}

/// Bounded memory of which lane can continue which response, and which connection suits what.
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

  /// What prefers the connection that it was last served by, for the sake of the prompt cache.
  enum Preference: Hashable, Sendable {
    case conversation(ConversationKey)
    case promptCacheKey(uid: UInt32, key: ByteString)
  }

  /// Where a response was made: the only place that can continue it without `store`.
  struct Place: Hashable, Sendable {
    var connection: ConnectionNumber
    var lane: Int
  }

  /// What is known of a response that ended.
  struct Origin: Hashable, Sendable {
    var place: Place
    /// Its server keeps it beyond the place.
    var isStored: Bool
  }

  private var responses: BoundedMemory<ResponseKey, Origin>
  private var preferences: BoundedMemory<Preference, ConnectionNumber>

  init(entriesMax: Int) {
    responses = BoundedMemory(countMax: entriesMax)
    preferences = BoundedMemory(countMax: entriesMax)
  }

  /// Where a response was made; it may be gone by now.
  func origin(of key: ResponseKey) -> Origin? {
    responses[key]
  }

  /// The connection that last served something; it may be gone by now.
  func connection(for preference: Preference) -> ConnectionNumber? {
    preferences[preference]
  }

  mutating func responseMade(_ key: ResponseKey, at place: Place, isStored: Bool) {
    responses.set(key, to: Origin(place: place, isStored: isStored))
  }

  /// - Returns: the connection that last served it before.
  @discardableResult
  mutating func served(
    _ preference: Preference, on connection: ConnectionNumber
  ) -> ConnectionNumber? {
    preferences.set(preference, to: connection)
  }

  /// A continuation that ended in an error evicts the response it referred to, as servers do.
  mutating func responseEvicted(_ key: ResponseKey) {
    responses.forget(key)
  }

  mutating func limit(to entriesMax: Int) {
    responses.limit(to: entriesMax)
    preferences.limit(to: entriesMax)
  }
}
