import HotlineWire

/// What some requests have used.
struct Account: Hashable {
  var requests: UInt64 = 0
  var inputTokens: UInt64 = 0
  var cachedInputTokens: UInt64 = 0
  var outputTokens: UInt64 = 0
  /// In US dollars, of those requests whose price is known.
  private(set) var knownCost = 0.0
  /// Requests whose price is known, and those that used tokens at a price that is not.
  private(set) var pricedRequests: UInt64 = 0
  private(set) var unpricedRequests: UInt64 = 0

  /// Nil where nothing is known: that is not 0.
  var cost: Double? { pricedRequests > 0 ? knownCost : nil }

  static func + (left: Account, right: Account) -> Account {
    var sum = left
    sum.requests += right.requests
    sum.inputTokens += right.inputTokens
    sum.cachedInputTokens += right.cachedInputTokens
    sum.outputTokens += right.outputTokens
    sum.knownCost += right.knownCost
    sum.pricedRequests += right.pricedRequests
    sum.unpricedRequests += right.unpricedRequests
    return sum
  }

  mutating func add(_ usage: TokenUsage?, cost: Double?, isRequest: Bool = true) {
    if isRequest { requests += 1 }
    guard let usage else { return }
    inputTokens += UInt64(usage.input)
    cachedInputTokens += UInt64(usage.cachedInput)
    outputTokens += UInt64(usage.output)
    if let cost {
      pricedRequests += 1
      knownCost += cost
    } else {
      unpricedRequests += 1
    }
  }
}

/// Whose requests carry a label: labels are kept apart by user.
struct TagKey: Hashable {
  /// Nil for all those that share the entry `other`.
  var uid: UInt32?
  var tag: String
}

/// Accounts of the same requests, divided by what they have in common.
struct Accounts {
  private(set) var total = Account()
  /// By the requests' `model`; nil for requests that named none and got none.
  private(set) var models = BoundedTable<String?, Account>(countMax: 64, other: "other")
  private(set) var upstreams = BoundedTable<String, Account>(countMax: 64, other: "other")
  private(set) var tags = BoundedTable<TagKey, Account>(
    countMax: 128, other: TagKey(uid: nil, tag: "other"))

  mutating func add(_ end: RequestEnd) {
    let key = TagKey(uid: end.uid, tag: end.tag)
    add(to: end.model, end.upstream, key) { $0.add(end.usage, cost: end.cost) }
  }

  mutating func add(_ warmUp: WarmUpEnd) {
    let key = TagKey(uid: warmUp.uid, tag: WarmUpEnd.tag)
    add(to: warmUp.model, warmUp.upstream, key) {
      $0.add(warmUp.usage, cost: warmUp.cost, isRequest: false)
    }
  }

  private mutating func add(
    to model: String?, _ upstream: String, _ key: TagKey, _ add: (inout Account) -> Void
  ) {
    add(&total)
    models.update(model, or: Account(), add)
    upstreams.update(upstream, or: Account(), add)
    tags.update(key, or: Account(), add)
  }
}
