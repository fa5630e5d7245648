import COpenSSL

/// What an administrator may forbid OpenSSL: for exit tests, as it is of the whole process.
package enum OpenSSLPolicy {
  /// No digest is to be had from here on (EVP_set_default_properties(3)).
  ///
  /// - Throws: `TestFailure` where OpenSSL does not take that.
  package static func forbidAllDigests() throws {
    guard EVP_set_default_properties(nil, "provider=none") == 1 else {
      throw TestFailure("OpenSSL takes no properties")
    }
  }
}
