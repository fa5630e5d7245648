/// Values by name for at most so many names, so that nobody's inventions fill the memory: those
/// that come later share the entry `other`.
struct BoundedTable<Key: Hashable, Value> {
  private let countMax: Int
  private let other: Key
  private(set) var values: [Key: Value] = [:]

  /// - Parameters:
  ///   - countMax: names with an entry of their own; `other` comes on top of them.
  ///   - other: what the rest is filed under; somebody's real name may be the same.
  init(countMax: Int, other: Key) {
    self.countMax = countMax
    self.other = other
  }

  mutating func update(
    _ key: Key, or new: @autoclosure () -> Value, _ change: (inout Value) -> Void
  ) {
    // A look at the value itself would have it copied before it is changed.
    let isKept = values.keys.contains(key) || values.count < countMax
    change(&values[isKept ? key : other, default: new()])
  }
}
