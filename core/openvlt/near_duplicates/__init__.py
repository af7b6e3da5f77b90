"""Training rows that repeat a question of a benchmark, however its picture was encoded again."""

from openvlt.near_duplicates.known import KnownPicture as KnownPicture
from openvlt.near_duplicates.search import (
    VERSION as VERSION,
    NearDuplicate as NearDuplicate,
    NearDuplicates as NearDuplicates,
)
