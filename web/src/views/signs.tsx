// The page's few drawn signs: versicle and response as in books of chant, and the staff of four lines.

/** ℣, before what is said. */
export function Versicle() {
  return (
    <svg class="sigil versicle" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d="M2.5 3.2 9.4 17 16.6 3.2M1 3.2h4M14.4 3.2h4M9.8 8l7.4 4.4" />
    </svg>
  );
}

/** ℟, before what is answered. */
export function Responsory() {
  return (
    <svg class="sigil responsory" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
      <path d="M5 3.2V17M3 3.2h6.4c2.8 0 4.4 1.4 4.4 3.5s-1.6 3.6-4.4 3.6H5M9.2 10.3 15.6 17M3 17h4M9.4 17l7-7.4" />
    </svg>
  );
}

/** Four lines and three notes. */
export function Staff() {
  return (
    <svg class="staff" viewBox="0 0 32 20" width="32" height="20" aria-hidden="true">
      <path class="lines" d="M0 3.5h32M0 8h32M0 12.5h32M0 17h32" />
      <path class="notes" d="M5 10.3h4.4v4.4H5zM14 5.8h4.4v4.4H14zM23 10.3h4.4v4.4H23z" />
    </svg>
  );
}

/** The staff with one note that moves, while an answer is on its way. */
export function Singing() {
  return (
    <svg class="staff singing" viewBox="0 0 48 20" width="48" height="20" aria-hidden="true">
      <path class="lines" d="M0 3.5h48M0 8h48M0 12.5h48M0 17h48" />
      <path class="notes" d="M2 10.3h4.4v4.4H2z" />
    </svg>
  );
}
