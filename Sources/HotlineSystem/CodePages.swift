import Glibc

/// The pages of programs and libraries that hold code.
package enum CodePages {
  /// Bytes of /proc/self/maps that are read.
  private static let mapsBytesMax = 256 << 10

  /// Takes from the process what code it has touched; what it still uses comes back from the page
  /// cache when it runs next, 16 pages at a time (madvise(2), MADV_DONTNEED).
  ///
  /// To be called once the start is over: most code that has run by then never runs again. Such
  /// pages are never written to, so nothing is lost. Any thread; where the mappings cannot be read
  /// nothing happens.
  package static func release() {
    guard case .success(let maps) = SmallFile.read("/proc/self/maps", bytesMax: mapsBytesMax)
    else { return }
    for line in maps.split(separator: UInt8(ascii: "\n")) {
      guard let range = codeRange(in: line),
        let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound)
      else { continue }
      _ = madvise(start, range.count, MADV_DONTNEED)
    }
  }

  /// `55d0c8400000-55d0c8d00000 r-xp 00400000 fe:00 1234 /usr/bin/hotlined`: code of a file.
  static func codeRange(in line: some Collection<UInt8>) -> Range<UInt>? {
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true)
    guard fields.count >= 6, fields[1].elementsEqual("r-xp".utf8),
      fields[5].first == UInt8(ascii: "/")
    else { return nil }
    let bounds = fields[0].split(separator: UInt8(ascii: "-")).map {
      UInt(String(decoding: $0, as: UTF8.self), radix: 16)
    }
    guard bounds.count == 2, let start = bounds[0], let end = bounds[1], start < end else {
      return nil
    }
    return start..<end
  }
}
