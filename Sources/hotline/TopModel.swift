import HotlineCore

/// What `top` shows, and what its keys do: pure, lines of the daemon and keys in.
struct TopModel {
  enum Sorting: String, CaseIterable {
    case age, client, tag, model, state
  }

  enum Mode: Hashable {
    case browsing
    /// A filter is being typed.
    case filtering
    /// A yes or no is awaited.
    case confirming(OpenRequest)
  }

  enum Command: Hashable {
    case quit
    case cancel(OpenRequest)
  }

  enum Key: Hashable {
    case character(Character)
    case up, down, enter, escape, backspace, interrupt
  }

  /// Between two answers, by the second.
  struct Rates: Hashable {
    var requests: Double
    var tokens: Double
  }

  /// One row of the requests.
  struct Row: Hashable {
    var request: OpenRequest
    var pid: String
    var state: String
    var age: Double
    var model: String
    var tag: String
    var connection: String
  }

  private(set) var status: [UInt8] = []
  private(set) var stats: [UInt8] = []
  private(set) var rows: [Row] = []
  private(set) var rates: Rates?
  private var counted: (at: MonotonicInstant, requests: Double, tokens: Double)?
  private(set) var sorting = Sorting.age
  private(set) var filter = ""
  private(set) var mode = Mode.browsing
  private(set) var isPaused = false
  /// What is said below the requests.
  private(set) var message = ""
  /// The request that keys are about; nil for the first.
  private var selected: OpenRequest?

  /// - Returns: false for a line that shows nothing new.
  mutating func lineArrived(_ line: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
    guard let view = JSONView(line: line) else { return false }
    switch view["type"]?.string {
    case "hotline.status" where !isPaused:
      status = Array(line)
      rows = (view["clients"]?.elements ?? []).flatMap(Self.rows)
    case "hotline.stats" where !isPaused:
      stats = Array(line)
      count(view, at: now)
    case "hotline.ok": message = "the request was cancelled"
    case "error": message = FailureReport(errorLine: view).sentence
    default: return false
    }
    return true
  }

  private static func rows(of client: JSONView) -> [Row] {
    OpenRequest.all(of: client).map { request, view in
      Row(
        request: request, pid: integer(client["pid"]), state: words(view["state"]),
        age: view["age_s"]?.number ?? 0, model: words(view["model"]),
        tag: view["tag"]?.string.map { PrintableText.line($0) } ?? request.command,
        connection: integer(view["connection"]))
    }
  }

  private mutating func count(_ stats: JSONView, at now: MonotonicInstant) {
    let requests = stats["usage"]?["requests"]?.number ?? 0
    let tokens = stats["usage"]?["output_tokens"]?.number ?? 0
    if let counted {
      let seconds = Double(counted.at.duration(to: now).wholeNanoseconds) / 1e9
      guard seconds > 0 else { return }
      rates = Rates(
        requests: max(0, requests - counted.requests) / seconds,
        tokens: max(0, tokens - counted.tokens) / seconds)
    }
    counted = (now, requests, tokens)
  }

  // MARK: Requests

  /// Those that the filter leaves, in order.
  var visibleRows: [Row] {
    let words = filter.lowercased()
    return rows.filter { row in
      words.isEmpty
        || [row.request.id, row.request.command, row.tag, row.model, row.state, row.pid]
          .contains { $0.lowercased().contains(words) }
    }.sorted { isBefore($0, $1) }
  }

  private func isBefore(_ left: Row, _ right: Row) -> Bool {
    switch sorting {
    case .age where left.age != right.age: left.age > right.age
    case .tag where left.tag != right.tag: left.tag < right.tag
    case .model where left.model != right.model: left.model < right.model
    case .state where left.state != right.state: left.state < right.state
    case .age, .client, .tag, .model, .state:
      (left.request.client, left.request.id) < (right.request.client, right.request.id)
    }
  }

  /// Among ``visibleRows``.
  var selectedIndex: Int? {
    let rows = visibleRows
    guard !rows.isEmpty else { return nil }
    return rows.firstIndex { $0.request == selected } ?? 0
  }

  // MARK: Keys

  mutating func keyPressed(_ key: Key) -> Command? {
    if key == .interrupt { return .quit }
    switch mode {
    case .browsing: return browse(key)
    case .filtering:
      type(key)
      return nil
    case .confirming(let request):
      mode = .browsing
      message = ""
      return key == .character("y") ? .cancel(request) : nil
    }
  }

  private mutating func browse(_ key: Key) -> Command? {
    message = ""
    switch key {
    case .character("q"): return .quit
    case .character("j"), .down: select(by: 1)
    case .character("k"), .up: select(by: -1)
    case .character("p"): isPaused.toggle()
    case .character("/"): mode = .filtering
    case .escape: filter = ""
    case .character("s"):
      let all = Sorting.allCases
      sorting = all[((all.firstIndex(of: sorting) ?? 0) + 1) % all.count]
    case .character("c"):
      guard let selectedIndex else { return nil }
      let request = visibleRows[selectedIndex].request
      mode = .confirming(request)
      message = "cancel \(request.id) of client \(request.client) (\(request.command))? y or n"
    case .character, .enter, .backspace, .interrupt: break
    }
    return nil
  }

  private mutating func type(_ key: Key) {
    switch key {
    case .character(let character) where filter.count < 64: filter.append(character)
    case .backspace where !filter.isEmpty: filter.removeLast()
    case .enter: mode = .browsing
    case .escape:
      filter = ""
      mode = .browsing
    case .character, .backspace, .up, .down, .interrupt: break
    }
  }

  private mutating func select(by step: Int) {
    let rows = visibleRows
    guard let selectedIndex else { return }
    selected = rows[min(max(selectedIndex + step, 0), rows.count - 1)].request
  }
}
