/// What one pass over an object of a client's line has found: the line itself, or its `response`.
struct ClientMessageObject {
  private(set) var seen: ClientMessageMembers = []
  private(set) var repeated: ClientMessageMembers = []
  private(set) var background: JSONValue?
  private(set) var store: JSONValue?
  private(set) var previousResponseID: JSONValue?
  private(set) var promptCacheKey: JSONValue?
  private(set) var model: JSONValue?
  private(set) var responseID: JSONValue?

  /// An owned member as it stands, with what is needed to cut it out together with one comma.
  private struct Owned {
    var member: ClientMessageMember
    var start: Int
    /// End of the value before it; `nil` if it is the first member.
    var precedingEnd: Int?
    /// Start of the member after it; `nil` if it is the last.
    var following: Int?
  }
  private var owned: [Owned] = []
  /// First byte after the opening brace.
  private let start: Int
  /// The closing brace.
  private var end = 0
  /// End of the last member's value; `nil` while there is none.
  private var lastEnd: Int?

  init(openedAt start: Int) {
    self.start = start
  }

  /// A member's name has been read.
  /// - Returns: False if a member that the daemon reads stands here for the second time.
  mutating func memberBegan(_ member: ClientMessageMember?, at offset: Int) -> Bool {
    if let last = owned.indices.last, owned[last].following == nil {
      owned[last].following = offset
    }
    guard let member else { return true }
    guard !seen.contains(member) else {
      repeated.insert(member)
      return false
    }
    seen.insert(member)
    if ClientMessageMembers.owned.contains(member) {
      owned.append(Owned(member: member, start: offset, precedingEnd: lastEnd))
    }
    return true
  }

  /// A member's value has been read to its end.
  mutating func memberEnded(at offset: Int) {
    lastEnd = offset
  }

  mutating func closed(at offset: Int) {
    end = offset
  }

  /// Keeps the value of a member that is judged when the whole line has been read.
  mutating func keep(_ value: JSONValue, of member: ClientMessageMember) {
    switch member {
    case .background: background = value
    case .store: store = value
    case .previousResponseID: previousResponseID = value
    case .promptCacheKey: promptCacheKey = value
    case .model: model = value
    case .responseID: responseID = value
    case .type, .requestID, .hotline, .eventID, .stream, .streamOptions, .streamID, .response,
      .instructions, .conversation, .outputModalities:
      break
    }
  }

  /// The bytes between the braces without `members`, each of which takes one comma and the white
  /// space on the comma's side with it; empty if no member is left.
  func kept(without members: ClientMessageMembers) -> [Range<Int>] {
    guard lastEnd != nil else { return [] }
    var kept: [Range<Int>] = []
    var keptEnd = start
    var cursor: Int? = start
    for cut in owned where members.contains(cut.member) {
      // `cursor` is where a member begins, except for the object's own start.
      if let from = cursor, from < cut.start, let precedingEnd = cut.precedingEnd {
        kept.append(from..<cut.start)
        keptEnd = precedingEnd
      }
      cursor = cut.following
    }
    if let cursor {
      kept.append(cursor..<end)
    } else if let last = kept.popLast() {
      // Only cut members follow: the last kept one loses its comma.
      kept.append(last.lowerBound..<keptEnd)
    }
    return kept
  }
}
