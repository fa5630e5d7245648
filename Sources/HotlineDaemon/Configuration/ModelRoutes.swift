import HotlineCore

/// Which upstream a request goes to by its model, where it names none.
///
/// An immutable value.
package struct ModelRoutes: Hashable, Sendable {
  package struct Route: Hashable, Sendable {
    /// A model's name, or how names begin: `gpt-*`.
    package let pattern: String
    package let upstream: String

    /// What names begin with; nil where the pattern is a whole name.
    fileprivate var prefix: Substring? { pattern.hasSuffix("*") ? pattern.dropLast() : nil }

    fileprivate func matches(_ model: ByteString) -> Bool {
      guard let prefix else { return model.bytes.elementsEqual(pattern.utf8) }
      return model.bytes.starts(with: prefix.utf8)
    }
  }

  /// Those that say most first: whole names, then the longest beginnings.
  package let all: [Route]

  package init(_ upstreams: [String: String] = [:]) {
    all = upstreams.map { Route(pattern: $0.key, upstream: $0.value) }.sorted { one, other in
      let (first, second) = (one.prefix, other.prefix)
      if (first == nil) != (second == nil) { return first == nil }
      if let first, let second, first.utf8.count != second.utf8.count {
        return first.utf8.count > second.utf8.count
      }
      return one.pattern < other.pattern
    }
  }

  /// The name of the upstream for a model.
  package func upstream(for model: ByteString) -> String? {
    all.first { $0.matches(model) }?.upstream
  }

  /// Why a text is no pattern.
  static func problem(with pattern: String) -> String? {
    guard Schema.modelCharacters.contains(pattern.count) else {
      return "is no model; 1 to \(Schema.modelCharacters.upperBound) characters would do"
    }
    guard !pattern.dropLast().contains("*") else {
      return "has a * that is not at its end; \"gpt-*\" would do"
    }
    return nil
  }
}
