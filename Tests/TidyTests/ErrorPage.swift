import HotlineCore

/// `hotline-errors.7`: what each error code comes from and what helps, in the order of the codes.
enum ErrorPage {
  struct Explanation {
    let cause: String
    let remedy: String

    init(_ cause: String, _ remedy: String) {
      self.cause = cause
      self.remedy = remedy
    }
  }

  static let path = "Packaging/man/hotline-errors.7"

  /// The whole page; a code that nobody has explained is missing in it.
  static var text: String {
    let items = HotlineError.Code.allCases.compactMap { code in
      explanations[code].map { ".It Er \(code.rawValue)\n\($0.cause)\n.Pp\n\($0.remedy)\n" }
    }
    return head + items.joined() + tail
  }

  private static let head = #"""
    .\" Made from Tests/TidyTests/ErrorPage.swift; HOTLINE_UPDATE=1 in the environment of its test
    .\" writes it anew.
    .Dd November 23, 2026
    .Dt HOTLINE-ERRORS 7
    .Os Hotline
    .Sh NAME
    .Nm hotline-errors
    .Nd the error codes of hotlined, where they come from and what helps
    .Sh DESCRIPTION
    An error that
    .Xr hotlined 8
    reports has one of these codes in
    .Ql error.code ,
    and in
    .Ql error.message
    what happened in this case.
    Whether the same line may succeed later, and whether the server may have acted on it, stands in
    its
    .Ql hotline.retryable
    and
    .Ql hotline.sent
    (see
    .Xr hotline-protocol 7 ) .
    Errors without a member
    .Ql hotline
    are the server's own.
    .Pp
    Of each code the first paragraph is the cause, the second the remedy.
    .Bl -tag -width Ds

    """#

  private static let tail = """
    .El
    .Sh SEE ALSO
    .Xr hotline 1 ,
    .Xr hotline.toml 5 ,
    .Xr hotline-protocol 7 ,
    .Xr hotlined 8

    """
}
