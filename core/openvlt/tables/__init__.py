"""Tables that other people wrote: the rows of files in any format, and the contents of their cells."""

from __future__ import annotations

from openvlt.tables.cells import (
    choices_of as choices_of,
    images_of as images_of,
    is_empty as is_empty,
    literal_of as literal_of,
    text_of as text_of,
    whole_number_of as whole_number_of,
)
from openvlt.tables.files import (
    TABLE_SUFFIXES as TABLE_SUFFIXES,
    TableRow as TableRow,
    digest_files as digest_files,
    find_files as find_files,
    is_table as is_table,
    read_rows as read_rows,
    read_table as read_table,
)
from openvlt.tables.hub import (
    hub_folders as hub_folders,
    hub_rows as hub_rows,
)
from openvlt.tables.reading import (
    belongs as belongs,
    image_digest as image_digest,
    image_folders as image_folders,
)
