//! Pages of a list.

use crate::bindings::types::Error;

/// The most rows of a page, and of a list without paging.
pub const MAX_PAGE: u32 = 1000;

/// The requested rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Rows to skip.
    pub skip: u64,
    /// The most rows to return, 1 to [`MAX_PAGE`].
    pub limit: u32,
}

impl Paging {
    /// The first [`MAX_PAGE`] rows.
    pub const FIRST: Self = Self {
        skip: 0,
        limit: MAX_PAGE,
    };

    /// A page, counted from 1, of `page_size` rows.
    ///
    /// # Errors
    /// 600 naming `page` or `pageSize`.
    pub fn new(page: u32, page_size: u32) -> Result<Self, Error> {
        if page == 0 {
            return Err(Error::parameter("page", "a whole number from 1 to 4294967295"));
        }
        if !(1..=MAX_PAGE).contains(&page_size) {
            return Err(Error::parameter("pageSize", "a whole number from 1 to 1000"));
        }
        Ok(Self {
            skip: u64::from(page - 1) * u64::from(page_size),
            limit: page_size,
        })
    }

    /// A page with optional parts. The defaults are the first page and the largest page size.
    ///
    /// # Errors
    /// As [`Paging::new`].
    pub fn optional(page: Option<u32>, page_size: Option<u32>) -> Result<Self, Error> {
        Self::new(page.unwrap_or(1), page_size.unwrap_or(MAX_PAGE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(result: Result<Paging, Error>) -> String {
        let error = result.expect_err("refused");
        assert_eq!(error.code, 600);
        error.message.split(':').next().unwrap_or_default().to_owned()
    }

    #[test]
    fn pages_count_from_one_and_hold_at_most_a_thousand() {
        assert_eq!(Paging::new(1, 10), Ok(Paging { skip: 0, limit: 10 }));
        assert_eq!(
            Paging::new(3, 1000),
            Ok(Paging {
                skip: 2000,
                limit: 1000
            })
        );
        assert_eq!(field(Paging::new(0, 10)), "page");
        assert_eq!(field(Paging::new(1, 0)), "pageSize");
        assert_eq!(field(Paging::new(1, 1001)), "pageSize");
    }

    #[test]
    fn the_last_page_of_all_does_not_overflow() {
        assert_eq!(
            Paging::new(u32::MAX, 1000).map(|paging| paging.skip),
            Ok(4_294_967_294_000)
        );
    }

    #[test]
    fn absent_parts_mean_the_first_thousand() {
        assert_eq!(Paging::optional(None, None), Ok(Paging::FIRST));
        assert_eq!(
            Paging::optional(Some(2), None),
            Ok(Paging {
                skip: 1000,
                limit: 1000
            })
        );
        assert_eq!(Paging::optional(None, Some(7)), Ok(Paging { skip: 0, limit: 7 }));
    }
}
